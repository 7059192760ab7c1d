/** A diff that lost its metadata, or the end of it, is not taken for a new one. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { CODES } from "../../errors.ts";
import { runCli } from "../support/cli.ts";
import { crash } from "../support/daemon_process.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { detachMounts } from "../support/mounts.ts";
import { RawFile, syncDirectory } from "../support/raw_file.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { snapshot } from "../support/snapshot.ts";
import { ordinaryUser } from "../support/users.ts";

const BACKUP = "TOTL9U";
const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });

/** Makes a file, and has it synced. */
function write(path: string, text: string): void {
  {
    using file = new RawFile(path);
    file.write(0, new TextEncoder().encode(text));
    file.sync();
  }
  syncDirectory(path.slice(0, path.lastIndexOf("/")));
}

/** What of a diff must not be changed by whoever is refused it. */
async function facts({ diffDir }: Scene): Promise<Record<string, string>> {
  const found = Object.entries(await snapshot(diffDir));
  return Object.fromEntries(
    // The directory itself, who had the diff, and the log, which tells of the attempt.
    found.filter(([path]) =>
      path !== "" && !/^(\.pbkfs-lock|pbkfs\.log|control\.sock|reserve)$/.test(path)
    ),
  );
}

async function mustBeRefused(scene: Scene, says: RegExp): Promise<void> {
  const before = await facts(scene);
  const { code, stderr } = await runCli(mountArguments(scene.mountOptions(BACKUP)));
  assert.equal(code, CODES.DiffDamaged.exitCode, stderr);
  assert.match(stderr, says);
  assert.match(stderr, /--salvage/);
  assert.deepEqual(await facts(scene), before, "nothing was changed");
}

/** Puts a file out of the way while `body` runs. */
async function without(path: string, body: () => Promise<void>): Promise<void> {
  const kept = `${path.replace("/diff/", "/")}.kept`;
  Deno.renameSync(path, kept);
  try {
    await body();
  } finally {
    Deno.renameSync(kept, path);
  }
}

testUnless(
  mountObstacle(),
  "a diff without its metadata is damaged, and keeps its data files [FR-865]",
  async () => {
    await using scene = await open();
    const store = `${scene.diffDir}/metadata.sqlite`;
    {
      await using mount = await scene.mount(BACKUP);
      write(`${mount.mountDir}/written`, "by the clone");
    }
    const old = Deno.readFileSync(store);
    await without(store, async () => {
      await mustBeRefused(scene, /metadata\.sqlite" is missing/);
      Deno.writeFileSync(store, new Uint8Array());
      await mustBeRefused(scene, /metadata\.sqlite" is empty/);
      Deno.removeSync(store);
      await without(`${store}.generation`, async () => {
        await mustBeRefused(scene, /metadata\.sqlite" is missing/);
      });
    });
    const record = Deno.readFileSync(`${store}.generation`);
    Deno.truncateSync(`${store}.generation`);
    await mustBeRefused(scene, /generation", which tells of the last commit, is missing/);
    Deno.writeFileSync(`${store}.generation`, record);
    {
      await using mount = await scene.mount(BACKUP);
      assert.equal(Deno.readTextFileSync(`${mount.mountDir}/written`), "by the clone");
      write(`${mount.mountDir}/written`, "once more     ");
      write(`${mount.mountDir}/later`, "by the clone");
    }
    const now = Deno.readFileSync(store);
    Deno.writeFileSync(store, old);
    await mustBeRefused(scene, /has lost commits: it ends at generation \d+, and \d+ was reached/);
    Deno.writeFileSync(store, now);
    await using mount = await scene.mount(BACKUP);
    assert.equal(Deno.readTextFileSync(`${mount.mountDir}/later`), "by the clone");
  },
);

testUnless(
  mountObstacle(),
  "after a kill, metadata whose log is lost, cut or damaged is damaged, and stays as it is [FR-866]",
  async () => {
    await using scene = await open();
    const log = `${scene.diffDir}/metadata.sqlite-wal`;
    await using _mount = await scene.mount(BACKUP, { restart: false });
    for (const at of Array(20).keys()) write(`${scene.mountDir}/written-${at}`, `number ${at}`);
    await crash(scene.diffDir);
    detachMounts(scene.mountDir);
    const whole = Deno.readFileSync(log);
    const { uid, gid } = Deno.statSync(log);
    Deno.removeSync(log);
    await mustBeRefused(scene, /lost commits/);
    assert(!existsSync(log));
    // A frame is a page of 4 KiB and its header of 24 bytes, behind a header of 32.
    const frames = (whole.length - 32) / (4096 + 24);
    const damages = [
      whole.subarray(0, 0),
      whole.subarray(0, 32 + Math.floor(frames / 2) * (4096 + 24)),
      whole.map((byte, at) => at === 5000 ? byte ^ 1 : byte),
      // In the header, after which SQLite takes nothing of it.
      whole.map((byte, at) => at === 20 ? byte ^ 1 : byte),
    ];
    for (const damaged of damages) {
      Deno.writeFileSync(log, damaged, { mode: 0o600 });
      Deno.chownSync(log, uid, gid);
      await mustBeRefused(scene, /lost commits/);
    }
    Deno.writeFileSync(log, whole);
    await using again = await scene.mount(BACKUP);
    for (const at of Array(20).keys()) {
      assert.equal(Deno.readTextFileSync(`${again.mountDir}/written-${at}`), `number ${at}`);
    }
  },
);

const data = ({ diffDir }: Scene) =>
  [...Deno.readDirSync(`${diffDir}/data`)].map(({ name }) => name).sort();
const strays = ({ diffDir }: Scene) =>
  [...Deno.readDirSync(`${diffDir}/lost+found`)].map(({ name }) => name).sort();

testUnless(
  mountObstacle(),
  "data files that nothing names go to lost+found, which is told, counted, and cleaned up [FR-867]",
  async () => {
    await using scene = await open();
    {
      await using _mount = await scene.mount(BACKUP);
    }
    assert(!existsSync(`${scene.diffDir}/lost+found`), "an ordinary end leaves nothing there");
    const beyond = "00000000000000ff";
    Deno.writeTextFileSync(`${scene.diffDir}/data/${beyond}`, "precious");
    Deno.writeTextFileSync(`${scene.diffDir}/data/notes`, "somebody's");
    {
      await using mount = await scene.mount(BACKUP);
      assert.match(mount.printed.stderr, /2 data files \(\d+ bytes on disk\) that nothing names/);
      assert.match(mount.printed.stderr, /lost\+found/);
      assert.match(Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`), /that nothing names/);
      const { stdout } = await runCli(["status", "-D", scene.mountDir]);
      assert.match(stdout, /lost\+found +2 files that nothing names, /);
      const json = JSON.parse((await runCli(["status", "--json"])).stdout);
      const own = json.mounts.find(({ mountPath }: { mountPath: string }) =>
        mountPath === scene.mountDir
      );
      assert.equal(own.lostAndFound.count, 2);
      Deno.writeTextFileSync(`${mount.mountDir}/written`, "by the clone");
    }
    assert.deepEqual(strays(scene), [beyond, "notes"]);
    assert.equal(Deno.readTextFileSync(`${scene.diffDir}/lost+found/${beyond}`), "precious");
    assert(data(scene).some((name) => name > beyond), "its number is not used again");
    // Another one of the same name takes nobody's place.
    Deno.writeTextFileSync(`${scene.diffDir}/data/${beyond}`, "as well");
    {
      await using _mount = await scene.mount(BACKUP);
    }
    assert.deepEqual(strays(scene), [beyond, `${beyond}.1`, "notes"]);
    assert.equal(Deno.readTextFileSync(`${scene.diffDir}/lost+found/${beyond}`), "precious");
    const { code, stderr } = await runCli(["cleanup", "-d", scene.diffDir, "--yes"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /lost\+found/);
  },
);

testUnless(
  mountObstacle(),
  "what was deleted, and committed as such, is deleted at the next mount, and is no stray [FR-868]",
  async () => {
    await using scene = await open();
    const faults = "unlink:/data/@1=kill-before";
    await using _mount = await scene.mount(BACKUP, { restart: false, faults });
    const paths = [1, 2, 3].map((at) => `${scene.mountDir}/written-${at}`);
    for (const path of paths) write(path, "to be removed");
    // What the mount itself has written would be committed after a while.
    for (const name of ["postgresql.conf", "postgresql.auto.conf", "pbkfs.conf"]) {
      using file = new RawFile(`${scene.mountDir}/${name}`);
      file.sync();
    }
    const before = data(scene).length;
    // Held open, its data file goes later still.
    const held = Deno.openSync(paths[2]!);
    try {
      for (const path of paths) Deno.removeSync(path);
      syncDirectory(scene.mountDir);
      syncDirectory(scene.mountDir);
    } catch {
      // It died at the first of them.
    } finally {
      held.close();
    }
    assert.equal(data(scene).filter((name) => !name.startsWith("spare")).length > 0, true);
    detachMounts(scene.mountDir);
    {
      await using again = await scene.mount(BACKUP);
      for (const path of paths) assert(!existsSync(path), `${path} is gone`);
      assert.doesNotMatch(again.printed.stderr, /that nothing names/);
    }
    assert.equal(data(scene).length, before - 3 - 256);
    assert(!existsSync(`${scene.diffDir}/lost+found`));
  },
);

testUnless(
  mountObstacle(),
  "a diff that has lost its binding is not taken for the rest of an attempt [FR-877]",
  async () => {
    await using scene = await open();
    {
      await using mount = await scene.mount(BACKUP);
      write(`${mount.mountDir}/written`, "by the clone");
    }
    await without(`${scene.diffDir}/.pbkfs-binding.json`, async () => {
      const before = await facts(scene);
      const { code, stderr } = await runCli(mountArguments(scene.mountOptions(BACKUP)));
      assert.equal(code, CODES.DiffDamaged.exitCode, stderr);
      assert.match(stderr, /has lost its binding/);
      assert.deepEqual(await facts(scene), before, "nothing was changed");
    });
    await using mount = await scene.mount(BACKUP);
    assert.equal(Deno.readTextFileSync(`${mount.mountDir}/written`), "by the clone");
  },
);
