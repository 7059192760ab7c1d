/** Bytes that a diff has lost are told, and never served as zeros. */

import assert from "node:assert/strict";
import { CODES, ERRNO } from "../../errors.ts";
import { runCli } from "../support/cli.ts";
import { crash } from "../support/daemon_process.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { detachMounts } from "../support/mounts.ts";
import { errnoFrom, filled, RawFile, syncDirectory } from "../support/raw_file.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { ordinaryUser } from "../support/users.ts";

const BACKUP = "TOTL9U";
const PAGE = 8192;
const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });

/** Writes pages of a data file of the base, and a new file. @returns The former's path. */
function change(scene: Scene): string {
  const dirPath = `${scene.mountDir}/base/5`;
  const path = [...Deno.readDirSync(dirPath)].map(({ name }) => `${dirPath}/${name}`)
    .find((path) => Deno.statSync(path).size >= 20 * PAGE);
  assert(path !== undefined);
  {
    using base = new RawFile(path);
    for (const page of [3, 7, 12]) base.write(page * PAGE, filled(page, PAGE));
    base.sync();
    using made = new RawFile(`${scene.mountDir}/made`);
    made.write(0, filled(9, 5 * PAGE));
    made.sync();
  }
  syncDirectory(scene.mountDir);
  return path;
}

/** Data files of a diff by length. */
function dataFile({ diffDir }: Scene, sizeBytes: number): string {
  const found = [...Deno.readDirSync(`${diffDir}/data`)]
    .map(({ name }) => `${diffDir}/data/${name}`)
    .filter((path) => Deno.statSync(path).size === sizeBytes);
  assert.equal(found.length, 1, `a data file of ${sizeBytes} bytes`);
  return found[0] as string;
}

async function mustBeRefused(scene: Scene, says: RegExp): Promise<void> {
  const { code, stderr } = await runCli(mountArguments(scene.mountOptions(BACKUP)));
  assert.equal(code, CODES.DiffDamaged.exitCode, stderr);
  assert.match(stderr, says);
}

/** Cuts a file while `body` runs. */
async function whileCut(path: string, sizeBytes: number, body: () => Promise<void>) {
  const whole = Deno.readFileSync(path);
  Deno.truncateSync(path, sizeBytes);
  await body();
  Deno.writeFileSync(path, whole);
}

testUnless(
  mountObstacle(),
  "a data file that is too short, or gone, is told at the mount by the name of the clone's file [FR-869]",
  async () => {
    await using scene = await open();
    {
      await using _mount = await scene.mount(BACKUP);
      change(scene);
    }
    const made = dataFile(scene, 5 * PAGE);
    const paged = dataFile(scene, 13 * PAGE);
    await whileCut(made, 4 * PAGE, async () => {
      await mustBeRefused(scene, /that of "made", [0-9a-f]{16}, has 32768 bytes, not 40960/);
    });
    await whileCut(paged, 12 * PAGE + 8000, async () => {
      await mustBeRefused(scene, /that of "base\/5\/\d+", [0-9a-f]{16}, has 106304 bytes/);
    });
    Deno.renameSync(paged, `${scene.dirPath}/kept`);
    await mustBeRefused(scene, /that of "base\/5\/\d+", [0-9a-f]{16}, is missing/);
    Deno.renameSync(`${scene.dirPath}/kept`, paged);
    const mount = await scene.mount(BACKUP, { restart: false });
    await using _ = mount;
    // Grown, and not told to the store: after a crash nobody takes that for damage.
    {
      using file = new RawFile(`${scene.mountDir}/made`);
      file.write(5 * PAGE, filled(10, PAGE));
      file.sync();
    }
    await crash(scene.diffDir);
    detachMounts(scene.mountDir);
    await whileCut(paged, 12 * PAGE + 8000, async () => {
      await mustBeRefused(scene, /that of "base\/5\/\d+", [0-9a-f]{16}, has 106304 bytes/);
    });
    await using again = await scene.mount(BACKUP);
    assert.equal(Deno.statSync(`${again.mountDir}/made`).size, 6 * PAGE);
  },
);

testUnless(
  mountObstacle(),
  "bytes that a data file loses while it is mounted are an I/O error, not zeros [FR-870]",
  async () => {
    await using scene = await open();
    let path: string;
    {
      await using _mount = await scene.mount(BACKUP);
      path = change(scene);
    }
    await using _mount = await scene.mount(BACKUP);
    Deno.truncateSync(dataFile(scene, 13 * PAGE), 12 * PAGE);
    Deno.truncateSync(dataFile(scene, 5 * PAGE), 4 * PAGE);
    using base = new RawFile(path);
    using made = new RawFile(`${scene.mountDir}/made`);
    for (const [file, page] of [[base, 12], [made, 4]] as const) {
      assert.equal(errnoFrom(() => void file.read(page * PAGE, PAGE)), ERRNO.EIO);
    }
    assert.deepEqual(base.read(7 * PAGE, PAGE), filled(7, PAGE));
    assert.match(Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`), /in the middle of/);
  },
);
