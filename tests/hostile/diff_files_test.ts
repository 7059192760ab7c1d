/** What lies in a diff where a file should be keeps nobody waiting, is told, and SIGTERM works. */

import assert from "node:assert/strict";
import { isAlive } from "../../binding/mod.ts";
import { CODES } from "../../errors.ts";
import { runCli } from "../support/cli.ts";
import { ownerOf, waitUntil } from "../support/daemon_process.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { isMounted } from "../support/mounts.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { giveTo } from "../support/temp_dir.ts";
import { isRoot, ordinaryUser } from "../support/users.ts";
import { type Trap, TRAPS } from "./_traps.ts";

const BACKUP = "TOTL9U";
const SIZE_BYTES = 20_000;
const TEXT = "x".repeat(SIZE_BYTES);
/** A pipe, before which an open stands still, a directory, and a link to a file of root's. */
const TRIED = TRAPS.slice(0, 3);

/** What a mount of a diff may end with; 0: it can do without that file. */
const PLACES: Readonly<Record<string, readonly number[]>> = {
  ".pbkfs-binding.json": [CODES.DiffDamaged.exitCode],
  ".pbkfs-lock": [CODES.DiffDamaged.exitCode],
  ".pbkfs-binding.json.tmp": [0],
  "metadata.sqlite": [CODES.DiffDamaged.exitCode, CODES.Io.exitCode],
  "reserve": [CODES.DiffDamaged.exitCode],
  "control.sock": [0, CODES.DiffDamaged.exitCode],
  "pbkfs.log": [0, CODES.Io.exitCode, CODES.PermissionDenied.exitCode],
};

/** A mount that was written to once. */
async function open(): Promise<Scene> {
  const scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
  await using _mount = await scene.mount(BACKUP);
  Deno.writeTextFileSync(`${scene.mountDir}/mine`, TEXT);
  return scene;
}

async function lay(scene: Scene, { trap, path }: { trap: Trap; path: string }): Promise<void> {
  const secret = `${scene.dirPath}/secret`;
  Deno.writeTextFileSync(secret, "root's own\n", { mode: 0o600 });
  await Deno.remove(path, { recursive: true }).catch(() => {});
  trap.lay(path, secret);
  if (!isRoot()) return;
  await giveTo(scene.owner, path);
  Deno.chownSync(secret, 0, 0);
}

/** SIGTERM ends a mount, whatever is in its diff. */
async function endBySignal(scene: Scene): Promise<void> {
  const { pid } = ownerOf(scene.diffDir);
  Deno.kill(pid, "SIGTERM");
  assert(await waitUntil(() => !isAlive(pid)), "SIGTERM works");
  assert(!isMounted(scene.mountDir));
}

testUnless(
  mountObstacle(),
  "verify waits for no pipe in the place of a file of a diff, and tells [FR-859]",
  async () => {
    await using scene = await open();
    const pipe = TRAPS.find(({ what }) => what === "a pipe")!;
    for (const place of Object.keys(PLACES)) {
      const path = `${scene.diffDir}/${place}`;
      const away = `${scene.dirPath}/away`;
      const isThere = await Deno.rename(path, away).then(() => true, () => false);
      await lay(scene, { trap: pipe, path });
      const { code, stderr } = await runCli(["verify", "-d", scene.diffDir]);
      const isOfOurs = [0, CODES.DamageFound, CODES.DiffDamaged, CODES.Io]
        .some((one) => code === (typeof one === "number" ? one : one.exitCode));
      assert(isOfOurs, `${place}: ${code} ${stderr}`);
      await Deno.remove(path);
      if (isThere) await Deno.rename(away, path);
    }
    assert.equal((await runCli(["verify", "-d", scene.diffDir])).code, 0);
  },
);

testUnless(
  mountObstacle(),
  "what is no file in the place of one that a diff has is told, with a status, or done without [FR-859]",
  async () => {
    await using scene = await open();
    const keptDir = `${scene.dirPath}/kept`;
    const copy = (from: string, to: string) =>
      new Deno.Command("cp", { args: ["-a", from, to] }).outputSync();
    copy(scene.diffDir, keptDir);
    for (const [at, [place, expected]] of Object.entries(PLACES).entries()) {
      const trap = TRIED[at % TRIED.length]!;
      await lay(scene, { trap, path: `${scene.diffDir}/${place}` });
      const { code, stderr } = await runCli(mountArguments(scene.mountOptions(BACKUP)));
      assert(expected.includes(code), `${place}, ${trap.what}: ${code} ${stderr}`);
      assert.doesNotMatch(stderr, /root's own/);
      if (code === 0) {
        assert.equal(Deno.readTextFileSync(`${scene.mountDir}/mine`), TEXT);
        await endBySignal(scene);
      }
      await Deno.remove(scene.diffDir, { recursive: true });
      copy(keptDir, scene.diffDir);
    }
  },
);

testUnless(
  mountObstacle(),
  "a data file that is none is never read as something else, and SIGTERM works [FR-859]",
  async () => {
    for (const trap of TRIED) {
      await using scene = await open();
      const data = `${scene.diffDir}/data`;
      const path = [...Deno.readDirSync(data)].map(({ name }) => `${data}/${name}`)
        .find((one) => Deno.lstatSync(one).size === SIZE_BYTES);
      assert(path !== undefined);
      await lay(scene, { trap, path });
      const { code, stderr } = await runCli(mountArguments(scene.mountOptions(BACKUP)));
      assert([0, CODES.DiffDamaged.exitCode].includes(code), stderr);
      if (code !== 0) continue;
      const mine = `${scene.mountDir}/mine`;
      assert.throws(() => Deno.readTextFileSync(mine), /os error 5/, trap.what);
      assert.throws(() => {
        using file = Deno.openSync(mine, { write: true });
        file.writeSync(new Uint8Array(9000));
        file.syncSync();
      }, trap.what);
      await endBySignal(scene);
    }
  },
);

testUnless(
  mountObstacle(),
  "a pipe among the WAL of a diff does not hold up a mount that takes it in [FR-859]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const options = scene.mountOptions(BACKUP, { extra: ["--wal", "inside"] });
    {
      await using _mount = await scene.mount(BACKUP, { extra: ["--wal", "inside"] });
    }
    const wal = `${scene.diffDir}/wal`; // As after a crash that came before its end.
    Deno.mkdirSync(wal);
    TRAPS[0]!.lay(`${wal}/000000010000000000000001`, "");
    if (isRoot()) await giveTo(scene.owner, wal);
    const { code, stderr } = await runCli(mountArguments(options));
    assert.equal(code, CODES.DiffDamaged.exitCode, stderr);
    assert(!isMounted(scene.mountDir));
  },
);
