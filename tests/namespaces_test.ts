/** Mounts of which another mount namespace keeps a copy: nothing of them may get lost or stuck. */

import assert from "node:assert/strict";
import { isAlive, isLocked } from "../binding/mod.ts";
import { CODES } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { runCli } from "./support/cli.ts";
import { crash, ownerOf, Visitor, waitUntil } from "./support/daemon_process.ts";
import { isMounted } from "./support/mounts.ts";
import { Namespace, namespaceObstacle } from "./support/namespace.ts";
import { Scene } from "./support/scene.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { commandAs, type Identity, isRoot, ordinaryUser } from "./support/users.ts";

const obstacle = mountObstacle() ?? namespaceObstacle();
const rootObstacle = obstacle ?? (isRoot() ? undefined : "only root may mount without FUSE");
const userObstacle = mountObstacle("ordinary user") ?? namespaceObstacle(ordinaryUser());

function open(ownerMounts = false): Promise<Scene> {
  return Scene.open({ fixture: "zlib-chain", owner: ordinaryUser(), ownerMounts });
}

/** Ends the daemon of a scene at the end of a test that has failed. */
function endingDaemon({ diffDir }: Scene): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      if (isLocked(diffDir, systemLibc()) === true) await crash(diffDir);
    },
  };
}

/** Nothing of the mount is left here but its diff, which can be mounted again. */
async function mustBeFree(scene: Scene, pid: number): Promise<void> {
  assert(await waitUntil(() => !isAlive(pid)), `process ${pid} ends`);
  assert.equal(isLocked(scene.diffDir, systemLibc()), false);
  assert(ownerOf(scene.diffDir).releasedAt !== undefined, "the diff is released");
  const names = [...Deno.readDirSync(`${scene.catalogDir}/backups/main/TOTL9E`)];
  assert(!names.some(({ name }) => name.includes(".pid")), "the backup is released");
  assert(!isMounted(scene.mountDir));
}

/** As somebody does who does not think of us. Lazily: files may be open. */
function detachByHand(mountDir: string, user?: Identity): void {
  const command = isRoot() && user === undefined
    ? ["umount", "-l", mountDir]
    : ["fusermount3", "-u", "-z", mountDir];
  const [program = "", ...args] = commandAs(user, command);
  const { success, stderr } = new Deno.Command(program, { args, cwd: "/" }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

/** The diff can be mounted again, and has these files. @param user Who mounts, and may look. */
async function mustHold(
  scene: Scene,
  files: Record<string, string>,
  user?: Identity,
): Promise<void> {
  await using mount = await scene.mount("TOTL9E");
  for (const [name, text] of Object.entries(files)) {
    const [program = "", ...args] = commandAs(user, ["cat", `${mount.mountDir}/${name}`]);
    const { stdout } = await new Deno.Command(program, { args, cwd: "/" }).output();
    assert(new TextDecoder().decode(stdout) === text, `${name} has what was written`);
  }
}

// More than one request, and than one page.
const TEXT = "written in another namespace\n".repeat(100_000);

for (const who of ["root", "an ordinary user"] as const) {
  const isUser = who !== "root";
  const why = isUser ? userObstacle : rootObstacle;

  testUnless(
    why,
    `unmount by ${who} names who keeps a copy, with all synced meanwhile [FR-776]`,
    async () => {
      await using scene = await open(isUser);
      await using _daemon = endingDaemon(scene);
      await using _mount = await scene.mount("TOTL9E");
      const user = isUser ? scene.owner : undefined;
      await using namespace = await Namespace.open({ user });
      const { pid } = ownerOf(scene.diffDir);
      await using _before = await namespace.writeOpen(`${scene.mountDir}/before`, TEXT);
      const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir], { user });
      assert.equal(code, CODES.MountKept.exitCode, stderr);
      const name = `sleep \\(${namespace.pid}\\) in mount namespace ${namespace.id}`;
      assert.match(stderr, new RegExp(`unmounted here, but kept by [^]*${name}`));
      assert.match(stderr, /All that was written is on disk/);
      assert(stderr.includes(`pbkfs unmount --force -d "${scene.diffDir}"`), stderr);
      assert(!isMounted(scene.mountDir) && isAlive(pid));
      // And once more, of what has been written since then.
      await using _after = await namespace.writeOpen(`${scene.mountDir}/after`, TEXT);
      const again = await runCli(["unmount", "-d", scene.diffDir], { user });
      assert.equal(again.code, CODES.MountKept.exitCode, again.stderr);
      await crash(scene.diffDir);
      await mustHold(scene, { before: TEXT, after: TEXT }, user);
    },
  );

  const option = isUser ? "-d" : "-D";
  testUnless(
    why,
    `unmount ${option} --force by ${who} ends a daemon that is mounted nowhere [FR-778]`,
    async () => {
      await using scene = await open(isUser);
      await using _daemon = endingDaemon(scene);
      await using _mount = await scene.mount("TOTL9E");
      const user = isUser ? scene.owner : undefined;
      await using namespace = await Namespace.open({ user });
      const { pid } = ownerOf(scene.diffDir);
      detachByHand(scene.mountDir, user);
      assert(!isMounted(scene.mountDir) && isAlive(pid));
      await using _late = await namespace.writeOpen(`${scene.mountDir}/late`, TEXT);
      const place = option === "-D" ? scene.mountDir : scene.diffDir;
      const { code, stderr } = await runCli(["unmount", option, place, "--force"], { user });
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`took it from .*sleep \\(${namespace.pid}\\)`));
      await mustBeFree(scene, pid);
      await assert.rejects(namespace.run(["ls", scene.mountDir]), /not connected/);
      await mustHold(scene, { late: TEXT }, user);
    },
  );
}

testUnless(obstacle, "unmount returns as soon as the last copy is gone [FR-777]", async () => {
  await using scene = await open();
  await using _daemon = endingDaemon(scene);
  await using _mount = await scene.mount("TOTL9E");
  const namespace = await Namespace.open();
  const { pid } = ownerOf(scene.diffDir);
  try {
    const unmounting = runCli(["unmount", "-D", scene.mountDir, "--wait", "60"]);
    assert(await waitUntil(() => !isMounted(scene.mountDir)));
    await namespace[Symbol.asyncDispose]();
    const { code, stderr } = await unmounting;
    assert.equal(code, 0, stderr);
    await mustBeFree(scene, pid);
  } finally {
    await namespace[Symbol.asyncDispose]();
  }
});

testUnless(
  obstacle,
  "--force of a mount that is kept elsewhere ends it at once [FR-778]",
  async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    await using _mount = await scene.mount("TOTL9E");
    await using namespace = await Namespace.open();
    const { pid } = ownerOf(scene.diffDir);
    Deno.writeTextFileSync(`${scene.mountDir}/mine`, TEXT);
    const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir, "--force"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`sleep \\(${namespace.pid}\\)`));
    await mustBeFree(scene, pid);
    await mustHold(scene, { mine: TEXT });
  },
);

testUnless(
  obstacle,
  "--force leaves alone what has been mounted at the same place since [FR-778]",
  async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    const first = await scene.mount("TOTL9E");
    await using _namespace = await Namespace.open();
    const { pid } = ownerOf(scene.diffDir);
    detachByHand(first.mountDir);
    await using second = await scene.mount("TOTL9E", { diffDir: `${scene.dirPath}/second` });
    const { code, stderr } = await runCli(["unmount", "-d", scene.diffDir, "--force"]);
    assert.equal(code, 0, stderr);
    assert(await waitUntil(() => !isAlive(pid)));
    assert(isMounted(second.mountDir));
    assert(Deno.readTextFileSync(`${second.mountDir}/PG_VERSION`).startsWith("15"));
  },
);

for (const how of ["kept elsewhere", "detached before", "detached with users"] as const) {
  testUnless(obstacle, `one SIGTERM ends a daemon whose mount is ${how} [FR-779]`, async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    await using _mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    await using _keeper = how === "detached with users"
      ? new Visitor(scene.mountDir)
      : await Namespace.open();
    Deno.writeTextFileSync(`${scene.mountDir}/mine`, TEXT);
    if (how !== "kept elsewhere") {
      detachByHand(scene.mountDir);
      assert(!isMounted(scene.mountDir) && isAlive(pid));
    }
    Deno.kill(pid, "SIGTERM");
    await mustBeFree(scene, pid);
    const log = Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`);
    assert.match(log, /taken from .*sleep \(\d+\)[^]*unmounted, all is on disk[^\n]*\n$/);
    await mustHold(scene, { mine: TEXT });
  });
}

testUnless(
  obstacle,
  "status lists a mount that is nowhere, and who keeps it [FR-780]",
  async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    await using _mount = await scene.mount("TOTL9E");
    await using namespace = await Namespace.open();
    const { pid } = ownerOf(scene.diffDir);
    detachByHand(scene.mountDir);
    const holder = {
      ...{ pid: namespace.pid, command: "sleep" },
      ...{ namespace: namespace.id, mountPath: scene.mountDir },
    };
    for (const place of [[], ["-d", scene.diffDir], ["-D", scene.mountDir]]) {
      const { code, stdout, stderr } = await runCli(["status", "--json", ...place]);
      assert.equal(code, 0, stderr);
      // Others may be on this machine.
      const document = JSON.parse(stdout);
      const isOurs = ({ diffPath }: { diffPath: string }) => diffPath === scene.diffDir;
      const ours = JSON.stringify({ ...document, mounts: document.mounts.filter(isOurs) });
      const [own] = parseDocument("status", ours).mounts;
      assert.deepEqual(
        [own?.state, own?.pid, own?.mountPath, own?.isDetached, own?.holders],
        ["detached", pid, scene.mountDir, true, [holder]],
      );
    }
    const list = await runCli(["status"]);
    assert.match(list.stdout, new RegExp(`^${scene.mountDir} +main/TOTL9E +15 +detached`, "m"));
    const hint = `kept by sleep (${namespace.pid}) in mount namespace ${namespace.id}; ` +
      `ends with them, or with: pbkfs unmount --force -d "${scene.diffDir}"`;
    assert(list.stdout.includes(hint), list.stdout);
    const one = await runCli(["status", "-d", scene.diffDir]);
    assert.match(
      one.stdout,
      new RegExp(`^state +detached, kept by sleep \\(${namespace.pid}\\)`, "m"),
    );
  },
);

testUnless(
  obstacle,
  "mount of a diff whose mount is nowhere says which process to end, and how [FR-781]",
  async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    await using _mount = await scene.mount("TOTL9E");
    await using namespace = await Namespace.open();
    const { pid } = ownerOf(scene.diffDir);
    detachByHand(scene.mountDir);
    const { code, stderr } = await runCli(["mount", "-d", scene.diffDir]);
    assert.equal(code, CODES.DiffInUse.exitCode, stderr);
    const name = `sleep \\(${namespace.pid}\\) in mount namespace ${namespace.id}`;
    assert.match(
      stderr,
      new RegExp(`process ${pid}, whose mount .* detached, but kept by ${name}`),
    );
    const command = `pbkfs unmount --force -d "${scene.diffDir}"`;
    assert(stderr.includes(command), stderr);
    // What it says works.
    const ended = await runCli(["unmount", "--force", "-d", scene.diffDir]);
    assert.equal(ended.code, 0, ended.stderr);
    await mustHold(scene, {});
  },
);

testUnless(
  rootObstacle,
  "a namespace without a process is no one to be named, but all else works [FR-785]",
  async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    await using _mount = await scene.mount("TOTL9E");
    const namespace = await Namespace.open();
    using _keeper = Deno.openSync(`/proc/${namespace.pid}/ns/mnt`);
    await namespace[Symbol.asyncDispose]();
    const { pid } = ownerOf(scene.diffDir);
    Deno.writeTextFileSync(`${scene.mountDir}/mine`, TEXT);
    const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
    assert.equal(code, CODES.MountKept.exitCode, stderr);
    assert.match(stderr, /kept by somebody who is not to be seen/);
    const ended = await runCli(["unmount", "-d", scene.diffDir, "--force"]);
    assert.equal(ended.code, 0, ended.stderr);
    await mustBeFree(scene, pid);
    await mustHold(scene, { mine: TEXT });
  },
);

testUnless(
  rootObstacle,
  "below a shared mount, a namespace that follows ours keeps nothing [FR-782]",
  async () => {
    await using scene = await open();
    const shared = `${scene.dirPath}/shared`;
    Deno.mkdirSync(shared);
    const call = (program: string, ...args: string[]) => {
      const { success, stderr } = new Deno.Command(program, { args }).outputSync();
      assert(success, new TextDecoder().decode(stderr));
    };
    call("mount", "-t", "tmpfs", "-o", "size=1m", "pbkfs-test", shared);
    try {
      call("mount", "--make-shared", shared);
      const mountDir = `${shared}/mount`;
      Deno.mkdirSync(mountDir);
      // One from before the mount, which gets it, and one from after it, which copies it.
      await using before = await Namespace.open({ propagation: "slave" });
      await using mount = await scene.mount("TOTL9E", { mountDir });
      await using after = await Namespace.open({ propagation: "slave" });
      for (const namespace of [before, after]) {
        assert.equal(namespace.devicesAt(mountDir).length, 1);
      }
      const { pid } = ownerOf(scene.diffDir);
      await mount.unmount();
      for (const namespace of [before, after]) assert.deepEqual(namespace.devicesAt(mountDir), []);
      await mustBeFree(scene, pid);
    } finally {
      call("umount", shared);
    }
  },
);

for (const isUsed of [false, true]) {
  const title = isUsed ? "unmount --force of a busy mount hides" : "unmount takes away";
  testUnless(rootObstacle, `${title} all copies in its own namespace [FR-783]`, async () => {
    await using scene = await open();
    await using _daemon = endingDaemon(scene);
    await using _mount = await scene.mount("TOTL9E");
    const { pid } = ownerOf(scene.diffDir);
    const copy = `${scene.dirPath}/copy`;
    Deno.mkdirSync(copy);
    const bound = new Deno.Command("mount", { args: ["--bind", scene.mountDir, copy] });
    assert(bound.outputSync().success);
    {
      await using _visitor = isUsed ? new Visitor(scene.mountDir) : undefined;
      const force = isUsed ? ["--force"] : [];
      const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir, ...force]);
      assert.equal(code, 0, stderr);
      assert(!isMounted(scene.mountDir) && !isMounted(copy));
      assert.equal(isAlive(pid), isUsed);
    }
    await mustBeFree(scene, pid);
  });
}
