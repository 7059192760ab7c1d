/** The process behind a mount: how it begins, how it ends, and what it leaves. */

import assert from "node:assert/strict";
import { isAlive, isLocked } from "../binding/mod.ts";
import { mount as mountBackup, unmount } from "../operate/mod.ts";
import { CODES } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { checkoutFor } from "./support/checkout.ts";
import { runCli } from "./support/cli.ts";
import { crash, ownerOf, Visitor, waitUntil } from "./support/daemon_process.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { detachMounts, fuseMounts, isMounted } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { commandAs, isRoot, ordinaryUser } from "./support/users.ts";

const obstacle = mountObstacle();
const rootObstacle = obstacle ?? (isRoot() ? undefined : "only root may call umount");

function open(ownerMounts = false): Promise<Scene> {
  return Scene.open({ fixture: "zlib-chain", owner: ordinaryUser(), ownerMounts });
}

function logOf(scene: Scene): string {
  return Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`);
}

function lockFiles(scene: Scene): string[] {
  const instance = `${scene.catalogDir}/backups/main`;
  return [...Deno.readDirSync(instance)].filter(({ isDirectory }) => isDirectory)
    .flatMap(({ name: id }) =>
      [...Deno.readDirSync(`${instance}/${id}`)].map(({ name }) => `${id}/${name}`)
    ).filter((path) => path.includes(".pid"));
}

/** Nothing of a mount is left but its diff, whose process has ended. */
async function mustHaveEnded(scene: Scene, pid: number): Promise<void> {
  assert(await waitUntil(() => !isAlive(pid)), `process ${pid} ends`);
  assert.deepEqual(fuseMounts(scene.dirPath), []);
  assert.equal(isLocked(scene.diffDir, systemLibc()), false);
  assert(ownerOf(scene.diffDir).releasedAt !== undefined, "the diff is released");
  assert.deepEqual(lockFiles(scene), []);
  const left = [...Deno.readDirSync(scene.diffDir)].map(({ name }) => name);
  assert(!left.includes("control.sock"));
  assert.match(logOf(scene), /unmounted, all is on disk[^\n]*\n$/);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  testUnless(obstacle, `${signal} unmounts cleanly [FR-721]`, async () => {
    await using scene = await open();
    await using mount = await scene.mount("TOTL9E");
    Deno.writeTextFileSync(`${mount.mountDir}/written`, "just now");
    const { pid } = ownerOf(scene.diffDir);
    Deno.kill(pid, signal);
    await mustHaveEnded(scene, pid);
    await using again = await scene.mount("TOTL9E");
    assert.equal(Deno.readTextFileSync(`${again.mountDir}/written`), "just now");
  });
}

testUnless(
  obstacle,
  "in the foreground SIGINT ends it with success, and it logs to stderr [FR-721]",
  async () => {
    await using scene = await open();
    const { dirPath, denoPath } = await checkoutFor(undefined);
    const args = [...mountArguments(scene.mountOptions("TOTL9E")), "--foreground"];
    const child = new Deno.Command(denoPath, {
      args: ["run", "-A", `${dirPath}/cli.ts`, ...args],
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    let said = "";
    const read = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
    })();
    assert(await waitUntil(() => said.includes("interrupt to unmount")), said);
    assert(isMounted(scene.mountDir));
    child.kill("SIGINT");
    const { code } = await child.status;
    await read;
    assert.equal(code, 0, said);
    assert.match(said, /interrupt to unmount[^]*all is on disk/);
    assert.deepEqual(fuseMounts(scene.dirPath), []);
    assert.deepEqual(lockFiles(scene), []);
  },
);

testUnless(rootObstacle, "umount ends the daemon cleanly [FR-721]", async () => {
  await using scene = await open();
  await using _mount = await scene.mount("TOTL9E");
  const { pid } = ownerOf(scene.diffDir);
  await run(["umount", scene.mountDir]);
  await mustHaveEnded(scene, pid);
});

testUnless(
  mountObstacle("ordinary user"),
  "fusermount3 -u by an ordinary user ends the daemon cleanly [FR-721]",
  async () => {
    await using scene = await open(true);
    await using _mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    await run(commandAs(scene.owner, ["fusermount3", "-u", scene.mountDir]));
    await mustHaveEnded(scene, pid);
  },
);

async function run([program = "", ...args]: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, cwd: "/" }).output();
  assert(success, new TextDecoder().decode(stderr));
}

for (const option of ["-D", "-d"] as const) {
  testUnless(
    obstacle,
    `unmount ${option} returns when the process has ended [FR-722]`,
    async () => {
      await using scene = await open();
      await using _mount = await scene.mount("TOTL9E");
      const { pid } = ownerOf(scene.diffDir);
      const place = option === "-D" ? scene.mountDir : scene.diffDir;
      const { code, stderr } = await runCli(["unmount", option, place]);
      assert.equal(code, 0, stderr);
      assert(!isAlive(pid));
      await mustHaveEnded(scene, pid);
    },
  );
}

testUnless(obstacle, "unmount needs a mount: by place, by diff, and of both [FR-722]", async () => {
  await using scene = await open();
  await using _mount = await scene.mount("TOTL9E");
  const other = `${scene.dirPath}/rows`;
  for (
    const args of [["-d", other], ["-D", other], ["-D", scene.mountDir, "-d", other]]
  ) {
    const { code, stderr } = await runCli(["unmount", ...args]);
    assert.equal(code, CODES.NotMounted.exitCode, stderr);
    assert.match(stderr, /rows/);
  }
  const { code, stderr } = await runCli(["unmount"]);
  assert.equal(code, CODES.Usage.exitCode, stderr);
});

testUnless(
  obstacle,
  "a busy mount is not unmounted, and who uses it is named [FR-723]",
  async () => {
    await using scene = await open();
    await using mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    {
      await using visitor = new Visitor(`${scene.mountDir}/base`);
      const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
      assert.equal(code, CODES.MountBusy.exitCode, stderr);
      assert.match(stderr, new RegExp(`sleep \\(${visitor.pid}\\)`));
      Deno.kill(pid, "SIGTERM");
      const named = new RegExp(`in use by sleep \\(${visitor.pid}\\)`);
      assert(await waitUntil(() => named.test(logOf(scene))), logOf(scene));
      assert(isMounted(scene.mountDir) && isAlive(pid));
    }
    await mount.unmount();
    await mustHaveEnded(scene, pid);
  },
);

testUnless(
  obstacle,
  "--force detaches a busy mount; its process ends with the last user [FR-723]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    {
      await using visitor = new Visitor(scene.mountDir);
      const { code, stderr } = await runCli(["unmount", "-d", scene.diffDir, "--force"]);
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`process ${pid} goes on .*: sleep \\(${visitor.pid}\\)`));
      assert(!isMounted(scene.mountDir) && isAlive(pid));
      Deno.writeTextFileSync(`/proc/${visitor.pid}/cwd/late`, "written after the mount was hidden");
      const again = await runCli(["mount", "-d", scene.diffDir]);
      assert.equal(again.code, CODES.DiffInUse.exitCode, again.stderr);
      assert.match(again.stderr, new RegExp(`kept by sleep \\(${visitor.pid}\\)`));
      const twice = await runCli(["unmount", "-d", scene.diffDir]);
      assert.equal(twice.code, CODES.MountKept.exitCode, twice.stderr);
      assert.match(twice.stderr, new RegExp(`kept by sleep \\(${visitor.pid}\\)`));
    }
    await mustHaveEnded(scene, pid);
    await using again = await scene.mount("TOTL9E");
    assert.match(Deno.readTextFileSync(`${again.mountDir}/late`), /hidden/);
  },
);

testUnless(obstacle, "--force unmounts what nobody uses like any other [FR-723]", async () => {
  await using scene = await open();
  await using _mount = await scene.mount("TOTL9E");
  const { pid } = ownerOf(scene.diffDir);
  const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir, "--force"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^unmounted/);
  await mustHaveEnded(scene, pid);
});

testUnless(
  obstacle,
  "a process that does not answer is not waited for for ever [FR-723]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    Deno.kill(pid, "SIGSTOP");
    const args = ["unmount", "-D", scene.mountDir, "--wait", "0.5"];
    const { code, stderr } = await runCli(args);
    assert.equal(code, CODES.MountBusy.exitCode, stderr);
    assert.match(stderr, /--force/);
    const forced = await runCli([...args, "--force"]);
    assert.equal(forced.code, 0, forced.stderr);
    assert(!isMounted(scene.mountDir));
    Deno.kill(pid, "SIGCONT");
    await mustHaveEnded(scene, pid);
  },
);

for (const isUsed of [false, true]) {
  const title = isUsed ? ", even with a process in it" : "";
  testUnless(obstacle, `a dead endpoint is cleaned up${title} [FR-724]`, async () => {
    await using scene = await open();
    await scene.mount("TOTL9E", { restart: false });
    await using _visitor = isUsed ? new Visitor(scene.mountDir) : undefined;
    await crash(scene.diffDir);
    const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /cleaned up .*whose process had died/);
    assert.deepEqual(fuseMounts(scene.dirPath), []);
    assert.deepEqual([...Deno.readDirSync(scene.mountDir)], []);
  });
}

testUnless(obstacle, "sixteen mounts at once, of one backup, on one host [FR-725]", async () => {
  await using scene = await open();
  const before = await snapshot(scene.catalogDir);
  const places = Array.from({ length: 16 }, (_, index) => ({
    mountPath: `${scene.dirPath}/mount-${index}`,
    diffPath: `${scene.dirPath}/diff-${index}`,
  }));
  for (const { mountPath } of places) Deno.mkdirSync(mountPath);
  const catalogPath = scene.catalogDir;
  try {
    const started = await Promise.all(
      places.map((place) => mountBackup({ catalogPath, backupId: "TOTL9E", ...place })),
    );
    assert.equal(new Set(started.map(({ pid }) => pid)).size, 16);
    assert.equal(fuseMounts(scene.dirPath).length, 16);
    const list = `${catalogPath}/backups/main/TOTL93/backup_ro.pid`;
    assert.equal(Deno.readTextFileSync(list).trim().split("\n").length, 16);
    for (const [index, { mountPath }] of places.entries()) {
      Deno.writeTextFileSync(`${mountPath}/mine`, `${index}`);
    }
    for (const [index, { mountPath }] of places.entries()) {
      assert.equal(Deno.readTextFileSync(`${mountPath}/mine`), `${index}`);
    }
    const ended = await Promise.all(places.map(({ mountPath }) => unmount({ mountPath })));
    assert.deepEqual(new Set(ended.map(({ outcome }) => outcome)), new Set(["unmounted"]));
  } finally {
    detachMounts(scene.dirPath);
  }
  assert.deepEqual(lockFiles(scene), []);
  assert.deepEqual(await snapshot(scene.catalogDir), before);
});

testUnless(
  obstacle,
  "a diff may lie deeper than a socket's path may be long [FR-726]",
  async () => {
    await using scene = await open();
    const deep = `${scene.dirPath}/${"deep/".repeat(30)}`;
    Deno.mkdirSync(deep, { recursive: true });
    const diffDir = `${deep}diff`;
    await using mount = await scene.mount("TOTL9E", { diffDir });
    const status = await runCli(["status", "-D", mount.mountDir, "--json"]);
    assert.equal(status.code, 0, status.stderr);
    await mount.unmount();
    const { pid } = ownerOf(diffDir);
    assert(!isAlive(pid));
  },
);

testUnless(obstacle, "what is in a diff can be read by its owner only [FR-727]", async () => {
  await using scene = await open();
  const umask = Deno.umask(0);
  try {
    await using mount = await scene.mount("TOTL9E");
    Deno.writeTextFileSync(`${mount.mountDir}/secret`, "secret");
    const open = modesBelow(scene.diffDir).filter(([, mode]) => (mode & 0o077) !== 0);
    assert.deepEqual(open, []);
    const { mode = 0, gid } = Deno.statSync(scene.diffDir);
    // The server's group may pass through to pg_wal; nobody may list.
    assert.equal((mode ?? 0) & 0o067, 0);
    if (isRoot()) assert.equal(gid, scene.owner.gid);
  } finally {
    Deno.umask(umask);
  }
});

function modesBelow(dirPath: string): [string, number][] {
  return [...Deno.readDirSync(dirPath)].flatMap((entry) => {
    const path = `${dirPath}/${entry.name}`;
    const mode = (Deno.lstatSync(path).mode ?? 0) & 0o777;
    return [[path, mode] as [string, number], ...(entry.isDirectory ? modesBelow(path) : [])];
  });
}
