/** Background tasks, in order, on a clock of the test's. */

import assert from "node:assert/strict";
import { Scheduler, type Task, WAITED_LIMIT_MS } from "./scheduler.ts";

/** A clock that stands until somebody moves it on. */
class FakeClock {
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  now = (): number => this.#nowMs;

  sleep = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.push({ atMs: this.#nowMs + milliseconds, wake: resolve });
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
    return promise;
  };

  /** Lets so many milliseconds pass, and wakes each sleeper at its time. */
  async pass(milliseconds: number): Promise<void> {
    const endMs = this.#nowMs + milliseconds;
    for (;;) {
      await settled();
      const nextMs = Math.min(...this.#sleepers.map(({ atMs }) => atMs));
      this.#nowMs = Math.max(this.#nowMs, Math.min(nextMs, endMs));
      if (nextMs > endMs) return;
      const due = this.#sleepers.filter(({ atMs }) => atMs <= nextMs);
      this.#sleepers = this.#sleepers.filter(({ atMs }) => atMs > nextMs);
      for (const { wake } of due) wake();
    }
  }
}

/** Lets all promises that can settle do so: more steps than any of them takes. */
async function settled(): Promise<void> {
  for (let steps = 0; steps < 100; steps++) await Promise.resolve();
}

/** A scheduler, what it has told, and how long requests wait. */
function makeScheduler() {
  const clock = new FakeClock();
  const told: string[] = [];
  const kernel = { waitedMs: 0 };
  const scheduler = new Scheduler({
    waitedMs: () => kernel.waitedMs,
    complain: (what, error) => told.push(`${what}: ${(error as Error).message}`),
    clock,
  });
  const journal: string[] = [];
  /** A task of so many pieces, with a rest behind each. */
  const task = (name: string, pieces = 1, patienceMs = 100): Task => {
    const made: Task = {
      name,
      patienceMs,
      async run(turn) {
        for (let piece = 1; piece <= pieces; piece++) {
          journal.push(`${name} ${piece}`);
          await turn.rest();
        }
        journal.push(`${name} done`);
      },
    };
    scheduler.add(made);
    return made;
  };
  return { clock, told, kernel, scheduler, journal, task };
}

Deno.test("background tasks run one at a time, in the order in which they were wanted [FR-1011]", async () => {
  const { clock, scheduler, journal, task } = makeScheduler();
  const [a, b] = [task("a", 2), task("b")];
  const ends: string[] = [];
  void scheduler.want(a).then(() => ends.push("a"));
  await settled();
  void scheduler.want(b).then(() => ends.push("b"));
  void scheduler.want(b); // It waits already.
  void scheduler.want(a).then(() => ends.push("a again")); // It runs: once more, behind b.
  const states = () => scheduler.status().list.map(({ state }) => state);
  assert.deepEqual(states(), ["running", "waiting"]);
  await clock.pass(10);
  assert.deepEqual(journal, ["a 1", "a 2", "a done", "b 1", "b done", "a 1", "a 2", "a done"]);
  assert.deepEqual(ends, ["a", "b", "a again"]);
  const { list } = scheduler.status();
  assert.deepEqual(list.map(({ name, state, runs, failures }) => [name, state, runs, failures]), [
    ["a", "idle", 2, 0],
    ["b", "idle", 1, 0],
  ]);
  assert(list.every(({ endedAt = 0 }) => endedAt > 0));
});

Deno.test("a task holds back while requests wait, but no longer than its patience [FR-1012]", async () => {
  const { clock, kernel, scheduler, journal, task } = makeScheduler();
  const a = task("a", 2, 100);
  kernel.waitedMs = WAITED_LIMIT_MS + 1;
  void scheduler.want(a);
  await clock.pass(90);
  assert.deepEqual(journal, []);
  kernel.waitedMs = WAITED_LIMIT_MS;
  await clock.pass(10);
  assert.deepEqual(journal, ["a 1", "a 2", "a done"]);
  kernel.waitedMs = Infinity;
  void scheduler.want(a);
  await clock.pass(90);
  assert.equal(journal.length, 3);
  await clock.pass(15);
  assert.deepEqual(journal.slice(3), ["a 1"], "it has waited for long enough");
  await clock.pass(110);
  assert.deepEqual(journal.slice(3), ["a 1", "a 2"], "and does so behind each piece");
  await clock.pass(110);
  assert.equal(journal.at(-1), "a done");
});

Deno.test("while tasks are paused, none begins, and one that runs stops at its next rest [FR-1011]", async () => {
  const { clock, scheduler, journal, task } = makeScheduler();
  const [a, b] = [task("a", 2), task("b")];
  void scheduler.want(a);
  await settled();
  scheduler.pause();
  scheduler.pause();
  void scheduler.want(b);
  await clock.pass(1000);
  assert.deepEqual(journal, ["a 1"]);
  assert.equal(scheduler.status().isPaused, true);
  scheduler.resume();
  scheduler.resume();
  await clock.pass(10);
  assert.deepEqual(journal, ["a 1", "a 2", "a done", "b 1", "b done"]);
  assert.equal(scheduler.status().isPaused, false);
});

Deno.test("a task that fails is told in log and status, and does not keep others from running [FR-1013]", async () => {
  const { clock, told, scheduler, journal, task } = makeScheduler();
  let isBroken = true;
  const bad: Task = {
    name: "bad",
    patienceMs: 0,
    run: () => isBroken ? Promise.reject(new Error("no luck")) : Promise.resolve(),
  };
  scheduler.add(bad);
  const b = task("b");
  const ended = scheduler.want(bad);
  void scheduler.want(b);
  await ended;
  await clock.pass(10);
  assert.deepEqual(journal, ["b 1", "b done"]);
  assert.deepEqual(told, ['background task "bad" failed: no luck']);
  const of = (name: string) => scheduler.status().list.find((one) => one.name === name);
  assert.deepEqual([of("bad")?.error, of("bad")?.failures], ["no luck", 1]);
  assert.deepEqual([of("b")?.error, of("b")?.failures], [undefined, 0]);
  isBroken = false;
  await scheduler.want(bad);
  assert.deepEqual([of("bad")?.error, of("bad")?.failures, of("bad")?.runs], [undefined, 1, 2]);
});

Deno.test("at the end the task that runs is asked to stop, and waited for; no other begins [FR-1013]", async () => {
  const { clock, told, scheduler, journal, task } = makeScheduler();
  const work = Promise.withResolvers<void>();
  const slow: Task = {
    name: "slow",
    patienceMs: 0,
    async run(turn) {
      try {
        journal.push("slow begins");
        await work.promise;
        await turn.rest();
        journal.push("slow goes on");
      } finally {
        journal.push("slow ends");
      }
    },
  };
  scheduler.add(slow);
  const b = task("b");
  const runs = [scheduler.want(slow), scheduler.want(b)];
  await settled();
  let isStopped = false;
  const stopped = Promise.all([scheduler.stop(), scheduler.stop()]).then(() => isStopped = true);
  await clock.pass(1000);
  assert(!isStopped, "a piece of work is done to its end");
  work.resolve();
  await stopped;
  await Promise.all([...runs, scheduler.want(b)]);
  assert.deepEqual(journal, ["slow begins", "slow ends"]);
  assert.deepEqual(told, [], "that is no error");
  assert.equal(scheduler.status().list[0]?.runs, 0);
});

Deno.test("the end comes also to tasks that are paused, or wait for requests [FR-1013]", async () => {
  for (const hold of ["pause", "wait"]) {
    const { kernel, scheduler, journal, task } = makeScheduler();
    if (hold === "pause") scheduler.pause();
    else kernel.waitedMs = Infinity;
    const run = scheduler.want(task("a", 1, Infinity));
    await settled();
    await scheduler.stop();
    await run;
    assert.deepEqual(journal, [], hold);
  }
});
