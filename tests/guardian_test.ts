/** The death of the process behind a mount: it is mounted again in place, or taken away. */

import assert from "node:assert/strict";
import { isAlive, isLocked } from "../binding/mod.ts";
import { type Code, CODES } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { runCli } from "./support/cli.ts";
import { crash, nextDaemon, ownerOf, Visitor, waitUntil } from "./support/daemon_process.ts";
import { fuseMounts, isMounted } from "./support/mounts.ts";
import { RawFile } from "./support/raw_file.ts";
import { Scene } from "./support/scene.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, testUnless as testIf } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { tellingAll } from "./support/suppressed.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const obstacle = mountObstacle();

const testUnless: typeof testIf = (obstacle, name, body) =>
  testIf(obstacle, name, () => tellingAll(body));

function open(ownerMounts = false): Promise<Scene> {
  return Scene.open({ fixture: "zlib-chain", owner: ordinaryUser(), ownerMounts });
}

function logOf({ diffDir }: Scene): string {
  return Deno.readTextFileSync(`${diffDir}/pbkfs.log`);
}

/** The process that watches a mount. */
function guardianOf({ diffDir }: Scene): number {
  const { guardian = 0 } = ownerOf(diffDir);
  assert(guardian > 1, "a process watches");
  return guardian;
}

/** What `status` tells of the mount of a scene, as text and as data. */
async function statusOf(scene: Scene) {
  const { user } = scene.mountOptions();
  const text = await runCli(["status", "-D", scene.mountDir], { user });
  assert.equal(text.code, 0, text.stderr);
  const { stdout } = await runCli(["status", "-D", scene.mountDir, "--json"], { user });
  return { text: text.stdout, ...parseDocument("status", stdout).mounts[0] };
}

/** Nothing is mounted or running any more, and the diff is free. */
async function mustHaveEnded(scene: Scene, ...pids: number[]): Promise<void> {
  assert(await waitUntil(() => !pids.some(isAlive)), `${pids} end; ${logOf(scene)}`);
  assert.deepEqual(fuseMounts(scene.dirPath), []);
  assert.equal(isLocked(scene.diffDir, systemLibc()), false);
  const processes = [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name))
    .filter(({ name }) => wordsOf(name).includes(scene.diffDir) && isAlive(Number(name)));
  assert.deepEqual(processes.map(({ name }) => wordsOf(name).join(" ")), []);
}

function wordsOf(pid: number | string): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  } catch {
    return []; // It has ended.
  }
}

/** A file with one synced page of `byte`, and a change of a page of the base. */
function writeSynced(mountDir: string, byte: number): void {
  for (const path of [`${mountDir}/synced`, `${mountDir}/base/1/1255`]) {
    using file = new RawFile(path);
    file.write(3 * 8192, new Uint8Array(8192).fill(byte));
    file.sync();
  }
}

for (const ownerMounts of isRoot() ? [false, true] : [true]) {
  const who = ownerMounts ? "an ordinary user" : "root";
  testUnless(
    mountObstacle(ownerMounts ? "ordinary user" : "us"),
    `mounted by ${who}: after its process died, it is mounted again in place, and told [FR-771]`,
    async () => {
      await using scene = await open(ownerMounts);
      const before = await snapshot(scene.catalogDir);
      await using mount = await scene.mount("TOTL9E");
      const facts = await statusOf(scene);
      assert.deepEqual(facts.restarts, { count: 0, isWatched: true });
      const guardian = guardianOf(scene);
      // Nobody but its owner sees the mount of an ordinary user.
      if (!ownerMounts || !isRoot()) writeSynced(mount.mountDir, 7);
      await using visitor = ownerMounts && isRoot() ? undefined : new Visitor(mount.mountDir);
      const first = await crash(scene.diffDir);
      const second = await nextDaemon(scene.diffDir, first);
      assert.equal(fuseMounts(scene.dirPath).length, 1, "it is mounted once");
      assert.equal(guardianOf(scene), guardian, "the same process watches");
      if (visitor !== undefined) {
        const found = new Uint8Array(8192).fill(7);
        for (const path of ["synced", "base/1/1255"]) {
          const bytes = Deno.readFileSync(`${mount.mountDir}/${path}`);
          assert.deepEqual(bytes.subarray(3 * 8192, 4 * 8192), found, path);
        }
        const there = `/proc/${visitor.pid}/cwd/PG_VERSION`;
        assert.throws(() => Deno.readTextFileSync(there), /not connected/, "the old one is dead");
      }
      const { restarts, text, pid } = await statusOf(scene);
      assert.equal(pid, second);
      assert.equal(restarts.count, 1);
      assert.equal(restarts.last.pid, first);
      const cause = `process ${first} was killed by SIGKILL, perhaps because memory ran out`;
      assert.equal(restarts.last.cause, cause);
      assert.match(text, new RegExp(`^deaths +once, last at .*: ${cause}$`, "m"));
      assert.match(logOf(scene), new RegExp(`${cause}; mounted again in place.* restarts=1\n`));
      const { user } = scene.mountOptions();
      const list = await runCli(["status"], { user });
      assert.match(list.stdout, new RegExp(`once, .* ${first} was`), list.stderr);
      await mount.unmount();
      await mustHaveEnded(scene, second, guardian);
      assert.deepEqual(await snapshot(scene.catalogDir), before);
    },
  );
}

testUnless(
  obstacle ?? (isRoot() ? undefined : "only root may mount what aborts connections"),
  "a mount that is served no more is a death, too, though its process ends by itself [FR-771]",
  async () => {
    await using scene = await open();
    await using mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    const control = `${scene.dirPath}/connections`;
    Deno.mkdirSync(control);
    await run("mount", "-t", "fusectl", "none", control);
    try {
      Deno.writeTextFileSync(`${control}/${minorOf(mount.mountDir)}/abort`, "1");
    } finally {
      await run("umount", control);
    }
    await nextDaemon(scene.diffDir, pid);
    assert.match(logOf(scene), /the mount is served no more, but not all is on disk: .*aborted/);
    assert.match(logOf(scene), /ended by an error of its own, with status 1; mounted again/);
    assert.equal(Deno.readTextFileSync(`${mount.mountDir}/PG_VERSION`), "15\n");
  },
);

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, cwd: "/" }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** The number under which the kernel lists a connection. */
function minorOf(mountDir: string): number {
  const line = Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
    .find((line) => line.split(" ")[4] === mountDir) ?? "";
  return Number(line.split(" ")[2]?.split(":")[1]);
}

testUnless(
  obstacle,
  "after the third death within a minute the mount is taken away, and a mark tells why [FR-772]",
  async () => {
    await using scene = await open();
    await scene.mount("TOTL9E");
    const guardian = guardianOf(scene);
    writeSynced(scene.mountDir, 9);
    let pid = 0;
    for (let deaths = 1; deaths <= 3; deaths++) {
      pid = await crash(scene.diffDir);
      if (deaths < 3) await nextDaemon(scene.diffDir, pid);
    }
    assert(await waitUntil(() => !isAlive(guardian)), logOf(scene));
    await mustHaveEnded(scene, guardian);
    const why = `not mounted again, since 3 have died within a minute: process ${pid} was killed`;
    assert.match(logOf(scene), new RegExp(`the dead mount was taken away; it was ${why}`));
    const status = await runCli(["status", "-d", scene.diffDir]);
    assert.equal(status.code, CODES.NotMounted.exitCode);
    assert.match(status.stderr, new RegExp(why));
    const again = await runCli(["mount", "-d", scene.diffDir]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, new RegExp(`process ${pid} .* died; it was ${why}`));
    assert(Deno.readFileSync(`${scene.mountDir}/synced`).subarray(3 * 8192).every((b) => b === 9));
    assert.equal((await runCli(["unmount", "-d", scene.diffDir])).code, 0);
    const after = await runCli(["status", "-d", scene.diffDir]);
    assert(!after.stderr.includes("within a minute"), "the mark is told once");
  },
);

testUnless(
  obstacle,
  "what cannot be mounted again is taken away, and a mark tells why [FR-772]",
  async () => {
    await using scene = await open();
    await scene.mount("TOTL9E");
    const guardian = guardianOf(scene);
    const backup = `${scene.catalogDir}/backups/main/TOTL9E`;
    Deno.renameSync(backup, `${backup}-gone`);
    const pid = await crash(scene.diffDir);
    await mustHaveEnded(scene, pid, guardian);
    const why = `process ${pid} was killed by SIGKILL.*, and it could not be mounted again`;
    assert.match(logOf(scene), new RegExp(`${why}; the dead mount was taken away: .*TOTL9E`));
    await mustRefuse(["status", "-d", scene.diffDir], "NotMounted", new RegExp(why));
    Deno.renameSync(`${backup}-gone`, backup);
    await using _again = await scene.mount("TOTL9E");
  },
);

async function mustRefuse(args: string[], code: Code, says: RegExp): Promise<void> {
  const outcome = await runCli(args);
  assert.equal(outcome.code, CODES[code].exitCode, outcome.stderr);
  assert.match(outcome.stderr, says);
}

testUnless(
  obstacle,
  "who watches is small, and keeps nothing of who mounted [FR-773]",
  async () => {
    await using scene = await open();
    await using mount = await scene.mount("TOTL9E");
    const guardian = guardianOf(scene);
    const { pid } = ownerOf(scene.diffDir);
    const words = wordsOf(guardian);
    const at = words.indexOf("pbkfs-guardian");
    assert.deepEqual(words.slice(at, at + 3), ["pbkfs-guardian", scene.diffDir, scene.mountDir]);
    const [parent, , session] = statOf(pid);
    assert.equal(parent, guardian);
    assert.equal(session, guardian, "a session of its own");
    assert.equal(Deno.readLinkSync(`/proc/${guardian}/cwd`), "/");
    // A shell cannot close what whoever runs the tests has left open above 9.
    const left = filesOf(Deno.pid).filter((file) => Number(file.split(" ")[0]) > 9);
    const files = filesOf(guardian).filter((file) => !left.includes(file));
    assert.deepEqual(files, ["0 /dev/null", "1 /dev/null", "2 /dev/null"]);
    const memory = Deno.readTextFileSync(`/proc/${guardian}/status`);
    const kilobytes = Number(/^RssAnon:\s+(\d+)/m.exec(memory)?.[1]);
    assert(kilobytes < 2048, `${kilobytes} kB of its own`);
    Deno.kill(guardian, "SIGHUP");
    Deno.kill(guardian, "SIGTERM");
    await mustHaveEnded(scene, pid, guardian);
    assert.match(logOf(scene), /unmounted, all is on disk[^\n]*\n$/);
    await mount.unmount();
  },
);

/** Numbers and names of the files that a process has open. */
function filesOf(pid: number): string[] {
  const path = `/proc/${pid}/fd`;
  const files = [...Deno.readDirSync(path)].flatMap(({ name }) => {
    try {
      return [`${name} ${Deno.readLinkSync(`${path}/${name}`)}`];
    } catch {
      return []; // It was the directory itself.
    }
  });
  return files.sort();
}

/** Parent, process group and session of a process. */
function statOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 4).split(" ").slice(0, 3).map(Number);
}

testUnless(obstacle, "if who watches is killed, the mount goes on without [FR-773]", async () => {
  await using scene = await open();
  await using mount = await scene.mount("TOTL9E");
  const { pid } = ownerOf(scene.diffDir);
  const guardian = guardianOf(scene);
  Deno.kill(guardian, "SIGKILL");
  assert(await waitUntil(() => !isAlive(guardian)));
  writeSynced(mount.mountDir, 5);
  const { restarts, text } = await statusOf(scene);
  assert.deepEqual(restarts, { count: 0, isWatched: false });
  assert.match(text, /^deaths +none; after the next one, nobody mounts again$/m);
  await mount.unmount();
  await mustHaveEnded(scene, pid, guardian);
});

/** Holds the backup as pg_probackup's delete does, so that whoever mounts it waits. */
async function whileHeld(scene: Scene, body: () => Promise<void>): Promise<void> {
  await using holder = new Visitor("/");
  const path = `${scene.catalogDir}/backups/main/TOTL9E/backup.pid`;
  Deno.writeTextFileSync(path, `${holder.pid}\n`);
  try {
    await body();
  } finally {
    Deno.removeSync(path);
  }
}

for (const how of ["unmount", "SIGTERM", "umount"] as const) {
  testUnless(
    how === "umount" && !isRoot() ? "only root may call umount" : obstacle,
    `while it is being mounted again, ${how} ends that [FR-774]`,
    async () => {
      await using scene = await open();
      await scene.mount("TOTL9E");
      const guardian = guardianOf(scene);
      await whileHeld(scene, async () => {
        const first = await crash(scene.diffDir);
        const isNext = () => ownerOf(scene.diffDir).pid !== first;
        assert(await waitUntil(isNext), "the next process has the diff, and waits for the backup");
        const { stdout } = await runCli(["status", "--json"]);
        const own = JSON.parse(stdout).mounts
          .filter(({ mountPath }: { mountPath: string }) => mountPath === scene.mountDir);
        const { diffDir: diffPath, mountDir: mountPath } = scene;
        assert.deepEqual(own, [{ diffPath, mountPath, state: "restarting" }]);
        await mustRefuse(["status", "-D", mountPath], "MountBusy", /being mounted again/);
        if (how === "unmount") {
          const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
          assert.equal(code, 0, stderr);
          assert.match(stderr, /cleaned up .*whose process had died/);
          assert(!isAlive(guardian), "it has waited for the end");
        } else if (how === "SIGTERM") Deno.kill(guardian, "SIGTERM");
        else await new Deno.Command("umount", { args: ["-l", scene.mountDir] }).output();
        if (how !== "umount") await mustHaveEnded(scene, first, guardian);
      });
      await mustHaveEnded(scene, guardian);
      const status = await runCli(["status", "-d", scene.diffDir]);
      assert(!status.stderr.includes("could not"), status.stderr);
      await using again = await scene.mount("TOTL9E");
      assert(isMounted(again.mountDir));
    },
  );
}

testUnless(
  obstacle,
  "with --no-restart nobody watches, and a dead mount stays [FR-774]",
  async () => {
    await using scene = await open();
    await using mount = await scene.mount("TOTL9E", { restart: false });
    assert.equal(ownerOf(scene.diffDir).guardian, undefined);
    assert.deepEqual((await statusOf(scene)).restarts, { count: 0, isWatched: false });
    await crash(scene.diffDir);
    await mustRefuse(["status", "-D", mount.mountDir], "NotMounted", /is gone/);
    await mount.unmount();
    await mustHaveEnded(scene);
  },
);
