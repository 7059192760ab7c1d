/** What is left of a damaged diff can be looked at. */

import assert from "node:assert/strict";
import { CODES, ERRNO } from "../../errors.ts";
import { runCli } from "../support/cli.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { errnoFrom, filled, RawFile, syncDirectory } from "../support/raw_file.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { snapshot } from "../support/snapshot.ts";
import { ordinaryUser } from "../support/users.ts";

const BACKUP = "TOTL9U";
const PAGE = 8192;

function write(path: string, bytes: Uint8Array<ArrayBuffer>): void {
  {
    using file = new RawFile(path);
    file.write(0, bytes);
    file.sync();
  }
  syncDirectory(path.slice(0, path.lastIndexOf("/")));
}

/** What salvaging must not change. */
async function facts({ diffDir }: Scene): Promise<[string, string][]> {
  const ours = /^(|\.pbkfs-lock|pbkfs\.log|control\.sock|reserve)$/;
  return Object.entries(await snapshot(diffDir)).filter(([path]) => !ours.test(path));
}

const salvaged = { extra: ["--salvage"] };

testUnless(
  mountObstacle(),
  "of a diff without metadata, the backup is served with the data files in lost+found [FR-872]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const nothing = await runCli(mountArguments(scene.mountOptions(BACKUP, salvaged)));
    assert.equal(nothing.code, CODES.DiffMissing.exitCode, nothing.stderr);
    let untouched: Uint8Array;
    {
      await using mount = await scene.mount(BACKUP);
      untouched = Deno.readFileSync(`${mount.mountDir}/PG_VERSION`);
      write(`${mount.mountDir}/PG_VERSION`, filled(7, 100));
      write(`${mount.mountDir}/made`, filled(9, 3 * PAGE));
    }
    Deno.removeSync(`${scene.diffDir}/metadata.sqlite`);
    const before = await facts(scene);
    {
      await using mount = await scene.mount(BACKUP, salvaged);
      assert.match(mount.printed.stderr, /salvaged, read-only/);
      assert.match(mount.printed.stderr, /none of the metadata can be read/);
      assert.match(mount.printed.stderr, /\d+ data files that nothing names are in "lost\+found"/);
      assert.deepEqual(Deno.readFileSync(`${mount.mountDir}/PG_VERSION`), untouched);
      const lost = [...Deno.readDirSync(`${mount.mountDir}/lost+found`)]
        .map(({ name }) => Deno.readFileSync(`${mount.mountDir}/lost+found/${name}`));
      assert(lost.some((bytes) => bytes.length === 3 * PAGE && bytes.every((one) => one === 9)));
      const made = errnoFrom(() => void new RawFile(`${mount.mountDir}/new`));
      assert.equal(made, ERRNO.EROFS);
    }
    assert.deepEqual(await facts(scene), before);
  },
);

testUnless(
  mountObstacle(),
  "of a diff with an older copy of its metadata, and damaged data files, the rest is served [FR-873]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const store = `${scene.diffDir}/metadata.sqlite`;
    {
      await using mount = await scene.mount(BACKUP);
      for (const name of ["cut", "gone", "kept"]) {
        write(`${mount.mountDir}/${name}`, filled(name.charCodeAt(0), 3 * PAGE));
      }
    }
    const old = Deno.readFileSync(store);
    {
      await using mount = await scene.mount(BACKUP);
      write(`${mount.mountDir}/later`, filled(5, 3 * PAGE));
    }
    Deno.writeFileSync(store, old);
    const dataFiles = [...Deno.readDirSync(`${scene.diffDir}/data`)]
      .map(({ name }) => `${scene.diffDir}/data/${name}`);
    const dataFile = (name: string) =>
      dataFiles.find((path) => Deno.readFileSync(path)[0] === name.charCodeAt(0)) as string;
    Deno.truncateSync(dataFile("cut"), 2 * PAGE);
    Deno.removeSync(dataFile("gone"));
    await using mount = await scene.mount(BACKUP, salvaged);
    assert.match(mount.printed.stderr, /has lost commits/);
    assert.match(mount.printed.stderr, /2 data files are missing or too short/);
    assert.match(mount.printed.stderr, /1 data files that nothing names/);
    const { mountDir } = mount;
    assert.deepEqual(Deno.readFileSync(`${mountDir}/kept`), filled("k".charCodeAt(0), 3 * PAGE));
    const [lost] = [...Deno.readDirSync(`${mountDir}/lost+found`)];
    assert.deepEqual(
      Deno.readFileSync(`${mountDir}/lost+found/${lost?.name}`),
      filled(5, 3 * PAGE),
    );
    assert.throws(() => Deno.readFileSync(`${mountDir}/gone`), { code: "EIO" });
    assert.equal(Deno.statSync(`${mountDir}/gone`).size, 3 * PAGE);
    using cut = Deno.openSync(`${mountDir}/cut`);
    const page = new Uint8Array(PAGE);
    assert.equal(cut.readSync(page), PAGE);
    assert.deepEqual(page, filled("c".charCodeAt(0), PAGE));
    cut.seekSync(2 * PAGE, Deno.SeekMode.Start);
    assert.throws(() => cut.readSync(page), { code: "EIO" });
  },
);
