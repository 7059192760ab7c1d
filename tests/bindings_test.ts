/** A diff knows its backup, and has one owner. */

import assert from "node:assert/strict";
import { readBinding } from "../binding/mod.ts";
import { type Code, CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { crash, ownerOf } from "./support/daemon_process.ts";
import { fuseMounts, isMounted } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { giveTo } from "./support/temp_dir.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const obstacle = mountObstacle();

/** A sample with a diff of TOTL9E that was mounted once, and written to. */
async function sceneWithDiff(): Promise<Scene> {
  const scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
  await using mount = await scene.mount("TOTL9E");
  Deno.writeTextFileSync(`${mount.mountDir}/written`, "by the first mount");
  await mount.unmount();
  return scene;
}

/** Mounts with `args`, checks that the first mount's file is there, and unmounts. */
async function mustContinue(scene: Scene, args: string[], mountDir = scene.mountDir) {
  const { code, stderr } = await runCli(["mount", "-d", scene.diffDir, ...args]);
  assert.equal(code, 0, stderr);
  assert(isMounted(mountDir), stderr);
  assert.equal(Deno.readTextFileSync(`${mountDir}/written`), "by the first mount");
  const ended = await runCli(["unmount", "-d", scene.diffDir]);
  assert.equal(ended.code, 0, ended.stderr);
  assert(!isMounted(mountDir));
  return stderr;
}

/** An emptied diff is a directory like any other: a new one begins there. */
async function mustBeginAnew(scene: Scene) {
  await using mount = await scene.mount("TOTL9E");
  assert.throws(() => Deno.statSync(`${mount.mountDir}/written`), Deno.errors.NotFound);
}

async function mustRefuse(scene: Scene, args: string[], code: Code, says: RegExp) {
  const outcome = await runCli(["mount", "-d", scene.diffDir, ...args]);
  assert.equal(outcome.code, CODES[code].exitCode, outcome.stderr);
  assert.match(outcome.stderr, says);
  assert.deepEqual(fuseMounts(scene.dirPath), []);
}

testUnless(obstacle, "mount -d alone continues a clone where it was [FR-703]", async () => {
  await using scene = await sceneWithDiff();
  await mustContinue(scene, []);
  await mustContinue(scene, ["-B", scene.catalogDir, "-I", "main", "-i", "totl9e"]);
});

testUnless(
  obstacle,
  "the mount point may change, and is then the new default [FR-703]",
  async () => {
    await using scene = await sceneWithDiff();
    const other = `${scene.dirPath}/other`;
    Deno.mkdirSync(other);
    if (isRoot()) await giveTo(scene.owner, other); // Root goes where the owner could mount, too.
    await mustContinue(scene, ["-D", other], other);
    assert.equal(readBinding(scene.diffDir)?.mountPath, other);
    await mustContinue(scene, [], other);
  },
);

testUnless(obstacle, "the binding tells who mounted last [FR-703]", async () => {
  await using scene = await sceneWithDiff();
  await mustContinue(scene, []);
  const { mountedAt: _, releasedAt, ...owner } = ownerOf(scene.diffDir);
  assert.deepEqual(readBinding(scene.diffDir)?.lastOwner, owner);
  assert(releasedAt !== undefined);
});

testUnless(obstacle, "without a diff, catalog and mount point must be named [FR-703]", async () => {
  await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
  await mustRefuse(scene, [], "Usage", /no diff in/);
  await mustRefuse(scene, ["-B", scene.catalogDir], "Usage", /-D/);
  assert.throws(() => Deno.statSync(scene.diffDir), Deno.errors.NotFound);
});

testUnless(
  obstacle,
  "another backup, instance or pg_wal is refused, with both values [FR-704]",
  async () => {
    await using scene = await sceneWithDiff();
    const before = Deno.readTextFileSync(`${scene.diffDir}/.pbkfs-binding.json`);
    await mustRefuse(scene, ["-i", "TOTL9U"], "DiffForeign", /backup TOTL9E, not TOTL9U/);
    await mustRefuse(scene, ["-i", "latest"], "DiffForeign", /backup TOTL9E, not TOTL9U/);
    await mustRefuse(scene, ["-I", "prod"], "DiffForeign", /instance main, not prod/);
    await mustRefuse(scene, ["--wal", "inside"], "DiffForeign", /outside the mount, not inside/);
    assert.equal(Deno.readTextFileSync(`${scene.diffDir}/.pbkfs-binding.json`), before);
    await mustContinue(scene, []);
  },
);

testUnless(
  obstacle,
  "a catalog that has moved is accepted with -B, and remembered [FR-704]",
  async () => {
    await using scene = await sceneWithDiff();
    const moved = `${scene.dirPath}/moved`;
    Deno.renameSync(scene.catalogDir, moved);
    await mustRefuse(scene, [], "CatalogMissing", /If it has been moved, say with -B/);
    await mustContinue(scene, ["-B", moved]);
    assert.equal(readBinding(scene.diffDir)?.catalogPath, moved);
    await mustContinue(scene, []);
  },
);

testUnless(
  obstacle,
  "a diff that does not tell its kind is refused with a sentence, and can be emptied [FR-982]",
  async () => {
    await using scene = await sceneWithDiff();
    const path = `${scene.diffDir}/.pbkfs-binding.json`;
    const { kind, ...older } = JSON.parse(Deno.readTextFileSync(path));
    assert.equal(kind, "pg_probackup");
    Deno.writeTextFileSync(path, JSON.stringify({ ...older, version: 1 }));
    await mustRefuse(scene, [], "DiffVersion", /has version 1; this pbkfs knows 2/);
    const cleaned = await runCli(["cleanup", "-d", scene.diffDir, "--yes"]);
    assert.equal(cleaned.code, 0, cleaned.stderr);
    await mustBeginAnew(scene);
  },
);

testUnless(obstacle, "a chain that only has the same names is refused [FR-704]", async () => {
  await using scene = await sceneWithDiff();
  const control = `${scene.catalogDir}/backups/main/TOTL93/backup.control`;
  const text = Deno.readTextFileSync(control);
  const crc = /^content-crc = (\d+)$/m.exec(text)?.[1] ?? "";
  Deno.writeTextFileSync(control, text.replace(/^content-crc = .*/m, "content-crc = 12345"));
  const says = new RegExp(`TOTL93/${crc} .*not TOTL93/12345`);
  await mustRefuse(scene, ["-B", scene.catalogDir], "DiffForeign", says);
});

testUnless(
  obstacle,
  "after a crash the mount is cleaned up, and the diff recovered, told once [FR-708]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await scene.mount("TOTL9E", { restart: false });
    const pid = await crash(scene.diffDir);
    await mustNotAnswer(scene.mountDir);
    const refused = await runCli(["mount", "-d", scene.diffDir]);
    assert.equal(refused.code, CODES.MountDirBusy.exitCode, refused.stderr);
    assert.match(refused.stderr, /its process has died[^]*pbkfs unmount/);
    const cleaned = await runCli(["unmount", "-d", scene.diffDir]);
    assert.equal(cleaned.code, 0, cleaned.stderr);
    assert.match(cleaned.stderr, /cleaned up/);
    const told = new RegExp(`not unmounted: process ${pid} on .* died`);
    for (const isFirst of [true, false]) {
      const { code, stderr } = await runCli(["mount", "-d", scene.diffDir]);
      assert.equal(code, 0, stderr);
      assert.equal(told.test(stderr), isFirst, stderr);
      await runCli(["unmount", "-d", scene.diffDir]);
    }
    const log = Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`);
    assert.equal(log.split("\n").filter((line) => told.test(line)).length, 1, log);
  },
);

/** The kernel's answer where the process of a mount has died: "endpoint is not connected". */
async function mustNotAnswer(mountDir: string): Promise<void> {
  const ls = new Deno.Command("ls", { args: [mountDir], env: { LC_ALL: "C" }, stderr: "piped" });
  const { stderr } = await ls.output();
  assert.match(new TextDecoder().decode(stderr), /not connected|connection abort/);
}

/** As if the last owner had not let go of the diff. */
function pretendOwner(scene: Scene, change: { host?: string; bootId: string }): void {
  const { releasedAt: _, ...owner } = ownerOf(scene.diffDir);
  Deno.writeTextFileSync(`${scene.diffDir}/.pbkfs-lock`, JSON.stringify({ ...owner, ...change }));
}

testUnless(obstacle, "after a reboot the diff is recovered [FR-708]", async () => {
  await using scene = await sceneWithDiff();
  pretendOwner(scene, { bootId: "the boot before" });
  assert.match(await mustContinue(scene, []), /the machine of process \d+ on .* went down/);
});

testUnless(
  obstacle,
  "a diff that another machine may have is taken by force only [FR-709]",
  async () => {
    await using scene = await sceneWithDiff();
    pretendOwner(scene, { host: "db7", bootId: "its own" });
    const lock = Deno.readTextFileSync(`${scene.diffDir}/.pbkfs-lock`);
    await mustRefuse(scene, [], "DiffInUse", /process \d+ on db7[^]*--force/);
    const cleanup = await runCli(["cleanup", "-d", scene.diffDir, "--yes"]);
    assert.equal(cleanup.code, CODES.DiffInUse.exitCode, cleanup.stderr);
    assert.equal(Deno.readTextFileSync(`${scene.diffDir}/.pbkfs-lock`), lock);
    assert.match(await mustContinue(scene, ["--force"]), /by force from process \d+ on db7/);
  },
);

testUnless(
  obstacle,
  "a second mount is refused and told who has the diff, or the place [FR-709]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    const [mount2, diff2] = [`${scene.dirPath}/mount2`, `${scene.dirPath}/diff2`];
    Deno.mkdirSync(mount2);
    const sameDiff = await runCli(["mount", "-d", scene.diffDir, "-D", mount2]);
    assert.equal(sameDiff.code, CODES.DiffInUse.exitCode, sameDiff.stderr);
    assert.match(sameDiff.stderr, new RegExp(`process ${pid} on `));
    const samePlace = ["mount", "-B", scene.catalogDir, "-d", diff2, "-D", scene.mountDir];
    const { code, stderr } = await runCli(samePlace);
    assert.equal(code, CODES.MountDirBusy.exitCode, stderr);
    assert.match(stderr, new RegExp(`"${scene.diffDir}" is mounted already, by process ${pid} `));
    assert.throws(() => Deno.statSync(diff2), Deno.errors.NotFound);
    assert.equal(fuseMounts(scene.dirPath).length, 1);
  },
);

testUnless(
  obstacle,
  "of two mounts at once on one place, or of one diff, one succeeds [FR-709]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const place2 = `${scene.dirPath}/mount2`;
    Deno.mkdirSync(place2);
    const mount = (diff: string, place: string) =>
      runCli(["mount", "-B", scene.catalogDir, "-d", `${scene.dirPath}/${diff}`, "-D", place]);
    const samePlace = await Promise.all(["a", "b"].map((diff) => mount(diff, scene.mountDir)));
    const busy = CODES.MountDirBusy.exitCode;
    const codes = samePlace.map(({ code }) => code).sort((a, b) => a - b);
    assert.deepEqual(codes, [0, busy], samePlace.map(({ stderr }) => stderr).join());
    assert.equal(fuseMounts(scene.dirPath).length, 1);
    const left = [...Deno.readDirSync(scene.dirPath)].map(({ name }) => name);
    assert.equal(left.filter((name) => ["a", "b"].includes(name)).length, 1, "no second diff");
    assert.equal((await runCli(["unmount", "-D", scene.mountDir])).code, 0);
    const sameDiff = await Promise.all([scene.mountDir, place2].map((place) => mount("c", place)));
    assert.deepEqual(sameDiff.map(({ code }) => code).sort((a, b) => a - b), [
      0,
      CODES.DiffInUse.exitCode,
    ]);
    assert.equal((await runCli(["unmount", "-d", `${scene.dirPath}/c`])).code, 0);
  },
);

testUnless(
  obstacle,
  "of a diff whose metadata is damaged, mount tells what is there and what helps [FR-737]",
  async () => {
    await using scene = await sceneWithDiff();
    const path = `${scene.diffDir}/metadata.sqlite`;
    const bytes = Deno.readFileSync(path);
    Deno.writeFileSync(path, bytes.map((byte, at) => (at < 100 ? byte : byte ^ 0x5a)));
    await mustRefuse(scene, [], "DiffDamaged", /[1-9]\d* data files and \d+ files of pg_wal/);
    await mustRefuse(scene, [], "DiffDamaged", /sqlite3 .* \.recover/);
    Deno.writeFileSync(path, bytes);
    await mustContinue(scene, []);
  },
);
