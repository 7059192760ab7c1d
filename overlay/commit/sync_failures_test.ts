import assert from "node:assert/strict";
import type { Ino } from "../../fuse/mod.ts";
import { SyncFailures } from "./sync_failures.ts";
import { processOf, uptimeTicks } from "./syncing_process.ts";

const FILE = 7 as Ino;
const JOB = { sequence: 4, settled: 3, pid: undefined };

/** Processes 1 and 3 were there when the machine was started, 90 came late. */
function failures(): SyncFailures {
  return new SyncFailures({
    processOf: (pid) => ({ id: `${pid}`, startedTicks: pid }),
    uptimeTicks: () => 50,
  });
}

Deno.test("what the kernel could not hand on, it tells itself, as long as it has the file [FR-461]", () => {
  const told = failures();
  told.lost(FILE, 28);
  assert.deepEqual([...told.unheard()], [[FILE, 28]]);
  assert.equal(told.mustTell(FILE, 1), 0, "it asks for a sync after it has told");
  assert.deepEqual([...told.unheard()], []);
});

Deno.test("when the kernel has dropped the file, we tell [FR-461]", () => {
  const told = failures();
  told.lost(FILE, 28);
  told.dropped(FILE);
  assert.deepEqual([90, 90, 1, 1, 91].map((pid) => told.mustTell(FILE, pid)), [28, 0, 28, 0, 0]);
});

Deno.test("a job that was made before a failure was known fails for the same one [FR-461]", () => {
  const told = failures();
  told.failed(FILE, 5, { ...JOB, pid: 1 });
  told.failed(FILE, 5, { sequence: 5, settled: 3, pid: 3 });
  assert.deepEqual([1, 3, 2].map((pid) => told.mustTell(FILE, pid)), [0, 0, 5]);
  told.failed(FILE, 28, { sequence: 6, settled: 5, pid: 3 });
  assert.deepEqual([1, 3, 1].map((pid) => told.mustTell(FILE, pid)), [28, 0, 0]);
});

Deno.test("a file that is gone has nobody to tell [FR-461]", () => {
  const told = failures();
  told.failed(FILE, 5, JOB);
  told.forget(FILE);
  assert.equal(told.mustTell(FILE, 1), 0);
});

Deno.test("a process is known by its first thread and by when it was started [FR-461]", async () => {
  const own = processOf(Deno.pid);
  assert(own.startedTicks > 0 && own.startedTicks <= uptimeTicks(), `${own.startedTicks}`);
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    assert.equal(processOf(Number(name)).id, own.id, "of any of its threads");
  }
  const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
  const { id, startedTicks } = processOf(child.pid);
  child.kill();
  await child.status;
  assert.notEqual(id, own.id);
  assert(startedTicks >= own.startedTicks);
  assert.deepEqual(processOf(0), { id: "0", startedTicks: 0 });
});
