/** The daemon is killed before and after each step by which changes become durable. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { runCli } from "../support/cli.ts";
import { mountArguments, type MountOptions } from "../support/mount_backup.ts";
import { detachMounts, isMounted } from "../support/mounts.ts";
import { filled, RawFile, syncDirectory } from "../support/raw_file.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { snapshot } from "../support/snapshot.ts";
import { ordinaryUser } from "../support/users.ts";

/** Steps, in their order; each is passed many times. */
const STEPS = [
  "open:/data/@3",
  "pwrite@5",
  "dup:/data/@4",
  "fdatasync@4",
  "fsync@3",
  "commit@4",
  "unlink:/data/@1",
  "ftruncate:/data/@1",
];
const POINTS = {
  outside: STEPS.flatMap((step) => [`${step}=kill-before`, `${step}=kill-after`]),
  // The first commits bring the backup's WAL into the mount.
  inside: ["fdatasync@1=kill-after", "commit@1=kill-before", "commit@1=kill-after"],
};

/** What was synced so far: the fill of each round's file, and of the base file's pages. */
interface Synced {
  readonly files: Map<string, number>;
  /** Of page `round` of a data file of the base. */
  readonly pages: Map<number, number>;
  readonly removed: Set<string>;
}

/** Makes, writes, renames, cuts and deletes until the mount dies, or for a number of rounds. */
function work(mountDir: string, basePath: string, synced: Synced): void {
  for (let round = 1; round <= 12; round++) {
    const path = `${mountDir}/round-${round}`;
    {
      using file = new RawFile(`${path}.new`);
      file.write(0, filled(round, 20_000));
      file.sync();
    }
    Deno.renameSync(`${path}.new`, path);
    syncDirectory(mountDir);
    synced.files.set(path, round);
    {
      using base = new RawFile(basePath);
      base.write(round * 8192 + 100, filled(round, 8192));
      base.sync();
      synced.pages.set(round, round);
    }
    if (round % 2 !== 0) continue;
    const old = `${mountDir}/round-${round - 1}`;
    synced.files.delete(old);
    Deno.removeSync(old);
    syncDirectory(mountDir);
    synced.removed.add(old);
    Deno.truncateSync(path, 10_000); // It may be cut or not: nobody syncs it.
  }
}

/** A data file of the base. */
interface BaseFile {
  readonly path: string;
  readonly content: Uint8Array;
}

function check({ path: basePath, content: untouched }: BaseFile, synced: Synced): void {
  const { files, pages, removed } = synced;
  for (const [path, fill] of files) {
    const content = Deno.readFileSync(path);
    assert([20_000, 10_000].includes(content.length), `${path} has ${content.length} bytes`);
    assert(content.every((byte) => byte === fill), `${path} is what was written`);
  }
  for (const path of removed) assert(!existsSync(path), `${path} is gone`);
  const base = Deno.readFileSync(basePath);
  for (const [page, fill] of pages) {
    const own = base.subarray(page * 8192 + 100, page * 8192 + 8192);
    assert(own.every((byte) => byte === fill), `page ${page} of the base's file`);
  }
  assert.deepEqual(base.subarray(0, 8192 + 100), untouched.subarray(0, 8192 + 100));
  const end = 20 * 8192;
  assert.deepEqual(base.subarray(end), untouched.subarray(end), "the rest is as the base has it");
}

for (const wal of ["outside", "inside"] as const) {
  testUnless(
    mountObstacle(),
    `pg_wal ${wal}: killed before and after each step of a commit, what was synced is there [FR-611]`,
    async () => {
      await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
      const before = await snapshot(scene.catalogDir);
      const base = await readBase(scene);
      let died = 0;
      for (const [index, faults] of POINTS[wal].entries()) {
        const diffDir = `${scene.dirPath}/diff-${index}`;
        try {
          died += await killAt(faults, scene, { diffDir, extra: ["--wal", wal] }, base) ? 1 : 0;
        } catch (error) {
          throw new Error(`At ${faults}: ${(error as Error).message}`, { cause: error });
        } finally {
          detachMounts(scene.dirPath);
        }
      }
      assert.equal(died, POINTS[wal].length, "all points were reached");
      assert.deepEqual(await snapshot(scene.catalogDir), before);
    },
  );
}

/** Works until the point comes, and looks what is there afterwards. @returns Whether it came. */
async function killAt(
  faults: string,
  scene: Scene,
  where: Pick<MountOptions, "diffDir" | "extra">,
  base: BaseFile,
): Promise<boolean> {
  const options = scene.mountOptions("TOTL9U", where as Partial<MountOptions>);
  const unmount = () => runCli(["unmount", "-D", scene.mountDir]);
  const synced: Synced = { files: new Map(), pages: new Map(), removed: new Set() };
  const mortal = mountArguments({ ...options, restart: false });
  const first = await runCli(mortal, { faults });
  let died = first.code !== 0; // Already while mounting: nothing was promised.
  try {
    if (first.code === 0) work(scene.mountDir, base.path, synced);
  } catch {
    died = true;
  }
  if (isMounted(scene.mountDir)) await unmount();
  const again = await runCli(mountArguments(options));
  assert.equal(again.code, 0, again.stderr);
  check(base, synced);
  assert.equal((await unmount()).code, 0);
  return died;
}

/** The largest file of a database, as the base has it. */
async function readBase(scene: Scene): Promise<BaseFile> {
  await using mount = await scene.mount("TOTL9U", { diffDir: `${scene.dirPath}/diff` });
  const dirPath = `${mount.mountDir}/base/5`;
  const files = [...Deno.readDirSync(dirPath)].map(({ name }) => `${dirPath}/${name}`);
  const path = files.reduce((one, other) =>
    Deno.statSync(one).size > Deno.statSync(other).size ? one : other
  );
  return { path, content: Deno.readFileSync(path) };
}
