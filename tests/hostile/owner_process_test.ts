/** The process behind root's mount has the owner's user id: what that user can do to it. */

import assert from "node:assert/strict";
import { isAlive } from "../../binding/mod.ts";
import { guardianOf } from "../../daemon/guardian.ts";
import { runCli } from "../support/cli.ts";
import { crash, nextDaemon, ownerOf, Visitor } from "../support/daemon_process.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { commandAs, isRoot, ordinaryUser } from "../support/users.ts";

const obstacle = mountObstacle() ?? (isRoot() ? undefined : "only root mounts for others");
const BACKUP = "TOTL9U";

/** What only who may trace a process can do; the last one also sets what a core may hold. */
const PRYING = (pid: number): Record<string, string[]> => ({
  environment: ["head", "-c", "1", `/proc/${pid}/environ`],
  memory: ["dd", `if=/proc/${pid}/mem`, "count=0"],
  maps: ["cat", `/proc/${pid}/maps`],
  descriptors: ["ls", `/proc/${pid}/fd`],
  program: ["readlink", `/proc/${pid}/exe`],
  limits: ["prlimit", "--pid", `${pid}`, "--core=unlimited"],
});

testUnless(
  obstacle,
  "the owner cannot trace the process behind root's mount, read its memory or set its limits [FR-858]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await scene.mount(BACKUP);
    const succeeds = async (command: string[]) => {
      const [program = "", ...args] = commandAs(scene.owner, command);
      return (await new Deno.Command(program, { args, cwd: "/" }).output()).success;
    };
    const [program = "", ...args] = commandAs(scene.owner, ["sleep", "120"]);
    const own = new Deno.Command(program, { args, cwd: "/" }).spawn();
    try {
      const { pid } = ownerOf(scene.diffDir);
      // What it does as root in between leaves it as it is.
      {
        await using _visitor = new Visitor(scene.mountDir);
        const { stderr } = await runCli(["unmount", "-D", scene.mountDir]);
        assert.match(stderr, /is in use/);
      }
      const { uid } = scene.owner;
      for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
        const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
        assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t0\\t${uid}$`, "m"), name);
      }
      for (const [what, command] of Object.entries(PRYING(pid))) {
        assert(!await succeeds(command), what);
      }
      assert.equal(Deno.lstatSync(`/proc/${pid}/mem`).uid, 0, "no core is written for others");
      for (const [what, command] of Object.entries(PRYING(own.pid))) {
        assert(await succeeds(command), `${what} of a process of his own`);
      }
    } finally {
      own.kill("SIGKILL");
      await own.status;
    }
  },
);

testUnless(
  obstacle,
  "the owner can end root's mount, but not its guardian, which mounts again in his name [FR-858]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await scene.mount(BACKUP);
    const kill = async (pid: number) => {
      const [program = "", ...args] = commandAs(scene.owner, ["kill", "-s", "KILL", `${pid}`]);
      return (await new Deno.Command(program, { args, cwd: "/" }).output()).success;
    };
    const guardian = guardianOf(scene.diffDir);
    assert(guardian !== undefined);
    assert(!await kill(guardian), "the guardian is root's");
    // Whose catalog it is now must not make the next daemon root's.
    const { pid } = ownerOf(scene.diffDir);
    const next = nextDaemon(scene.diffDir, pid);
    assert(await kill(pid));
    const status = Deno.readTextFileSync(`/proc/${await next}/status`);
    const { uid } = scene.owner;
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t0\\t${uid}$`, "m"));
    assert(isAlive(guardian));
  },
);

testUnless(
  obstacle,
  "for whom root mounts does not change when the catalog changes hands [FR-858]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await scene.mount(BACKUP);
    const backupDir = `${scene.catalogDir}/backups/main/${BACKUP}`;
    Deno.chownSync(backupDir, 0, 0);
    Deno.chmodSync(backupDir, 0o755);
    const next = nextDaemon(scene.diffDir, ownerOf(scene.diffDir).pid);
    await crash(scene.diffDir);
    const status = Deno.readTextFileSync(`/proc/${await next}/status`);
    const { uid } = scene.owner;
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t0\\t${uid}$`, "m"));
  },
);
