/** What a mount does in the background: told, paused, and over when the mount ends. */

import assert from "node:assert/strict";
import { mountStatus, pauseTasks, resumeTasks, type TaskStatus } from "../mod.ts";
import { runCli } from "./support/cli.ts";
import { parseDocument } from "./support/schema.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

/** Waits until a task is as wanted. @returns What it is then. */
async function untilTask(
  mountPath: string,
  name: string,
  isWanted: (task: TaskStatus) => boolean,
): Promise<TaskStatus> {
  for (;;) {
    const { tasks } = await mountStatus(mountPath);
    const task = tasks?.list.find((one) => one.name === name);
    assert(task !== undefined, `there is no task ${name}`);
    if (isWanted(task)) return task;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

testUnless(
  mountObstacle(),
  "what nobody syncs is committed by a background task; status and log tell if that fails [FR-1016]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const { mountDir, diffDir } = scene;
    const faults = "dup@1=ENOMEM"; // A commit has a descriptor of its own of each file.
    await using mount = await scene.mount("TOTL9U", { faults });
    Deno.truncateSync(`${mountDir}/postgresql.conf`, 10);
    const failed = await untilTask(mountDir, "commit", ({ failures }) => failures > 0);
    // It is tried again after five seconds, which a busy machine may need to ask.
    if (failed.runs === 1) assert.match(failed.error ?? "", /^dup of .* failed on purpose$/);
    assert.match(
      Deno.readTextFileSync(`${diffDir}/pbkfs.log`),
      /background task "commit" failed: dup of/,
    );
    const counted = await untilTask(mountDir, "diff size", ({ runs }) => runs > 0);
    assert.equal(counted.failures, 0, "others go on");
    const commit = await untilTask(mountDir, "commit", ({ runs }) => runs > 1);
    assert.deepEqual([commit.failures, commit.error], [1, undefined]);
    const { code, stdout, stderr } = await runCli(["status", "-D", mountDir, "--json"]);
    assert.equal(code, 0, stderr);
    const { tasks } = parseDocument("status", stdout).mounts[0];
    assert.deepEqual(tasks.list.map(({ name }: { name: string }) => name), ["commit", "diff size"]);
    assert(Date.parse(tasks.list[0].endedAt) <= Date.now());
    await mount.unmount();
  },
);

testUnless(
  mountObstacle(),
  "paused tasks wait, status says so, and an unmount does not wait for them [FR-1016]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const { mountDir, diffDir } = scene;
    await using mount = await scene.mount("TOTL9U");
    assert.equal((await pauseTasks({ mountPath: mountDir })).isPaused, true);
    Deno.writeTextFileSync(`${mountDir}/new`, "new");
    const waiting = await untilTask(mountDir, "commit", ({ state }) => state === "waiting");
    assert.equal(waiting.runs, 0);
    const { stdout } = await runCli(["status", "-D", mountDir]);
    assert.match(stdout, /^background +paused; commit waiting, 0 runs; diff size /m);
    assert.equal((await resumeTasks({ diffPath: diffDir })).isPaused, false);
    await untilTask(mountDir, "commit", ({ runs }) => runs > 0);
    await pauseTasks({ mountPath: mountDir });
    Deno.writeTextFileSync(`${mountDir}/newer`, "newer");
    await untilTask(mountDir, "commit", ({ state }) => state === "waiting");
    await mount.unmount();
    await assert.rejects(pauseTasks({ mountPath: mountDir }), { code: "NotMounted" });
    await using _again = await scene.mount("TOTL9U");
    assert.equal(Deno.readTextFileSync(`${mountDir}/newer`), "newer");
    const log = Deno.readTextFileSync(`${diffDir}/pbkfs.log`);
    assert(!/background task|error/i.test(log), log);
  },
);
