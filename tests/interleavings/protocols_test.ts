import assert from "node:assert/strict";
import { explore } from "./explore.ts";
import { type Edits, makeMutants } from "./mutants.ts";
import { boundText, BROKEN_QUEUE, limitOf, OLD_ORDER, PROTOCOLS, UNCHECKED } from "./protocols.ts";

const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

for (const { protocol, file, name, inSuite } of PROTOCOLS) {
  Deno.test(`${protocol}, ${name}: what is promised holds in ${boundText(inSuite)} [FR-442]`, async () => {
    const { schedules, failure, isComplete } = await explore({ file, name, ...limitOf(inSuite) });
    say(`${protocol}, ${name}: ${schedules} schedules`);
    assert.equal(failure, undefined);
    assert(isComplete);
  });
}

const QUEUE = "overlay/read/read_queue.ts";
const JOBS = "overlay/read/read_jobs.ts";
const BEGIN = "    this.#jobs.begin(job, { request, sizeBytes, parts: parts.length, fds });\n";
interface Fault {
  readonly file: string;
  readonly name: string;
  readonly files: Readonly<Record<string, Edits>>;
  readonly found: RegExp;
  readonly interruptionsMax?: number;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "TAIL is loaded before HEAD, and nothing is checked": {
    ...{ file: "read_queue.ts", name: "twoReads" },
    files: { ...UNCHECKED, "overlay/read/serve_reads.ts": {} },
    found: /are not in order|part is as it was added|taken once|Nobody can go on/,
  },
  "TAIL is loaded before HEAD": {
    ...{ file: "read_queue.ts", name: "twoReads" },
    files: { ...OLD_ORDER },
    found: /was to give out part \d, which is not in its slot/,
  },
  "a worker sleeps on what it has not seen": {
    ...{ file: "read_queue.ts", name: "twoReads" },
    files: {
      [QUEUE]: {
        "Atomics.wait(this.#control, WAKE, wake)":
          "Atomics.wait(this.#control, WAKE, wake ^ wake ^ Atomics.load(this.#control, WAKE))",
      },
    },
    found: /Nobody can go on/,
  },
  "nobody is woken": {
    ...{ file: "read_queue.ts", name: "twoParts" },
    files: {
      [QUEUE]: { "Atomics.notify(this.#control, WAKE, parts.length)": "void 0" },
    },
    found: /Nobody can go on/,
  },
  "a part is given out before its job has begun": {
    ...{ file: "read_queue.ts", name: "twoParts" },
    files: {
      [QUEUE]: {
        [BEGIN]: "",
        "    Atomics.add(this.#control, WAKE, 1);\n    Atomics.notify(this.#control, WAKE, parts":
          `${BEGIN}    Atomics.add(this.#control, WAKE, 1);\n` +
          "    Atomics.notify(this.#control, WAKE, parts",
      },
    },
    found: /was done, which has|are not in order|NULL/,
  },
  "two parts that end at once count as one": {
    ...{ file: "read_queue.ts", name: "twoParts" },
    files: {
      [JOBS]: {
        "Atomics.compareExchange(this.#states, STATES + of.job, state, next)":
          "(Atomics.store(this.#states, STATES + of.job, next), state)",
      },
      [QUEUE]: {},
    },
    found: /each read answered once|deepEqual|strictly/i,
  },
  "a commit is told before its outcome is there": {
    ...{ file: "commits.ts", name: "twoJobs" },
    files: {
      "overlay/commit/commit_ring.ts": {
        "    OUTCOME.write(":
          "    Atomics.store(this.#cells, AT.completed, sequence);\n    OUTCOME.write(",
      },
      "overlay/commit/worker_committer.ts": {},
      "overlay/commit/commit_intake.ts": {},
    },
    found: /each outcome once/,
  },
  "jobs are carried out while others are": {
    ...{ file: "commits.ts", name: "lateStore" },
    files: {
      "overlay/commit/commit_intake.ts": { "this.#underWay !== undefined || last": "last" },
    },
    found: /two at a time/,
  },
  "a job that comes while others are carried out is forgotten": {
    ...{ file: "commits.ts", name: "lateStore" },
    files: {
      "overlay/commit/commit_intake.ts": {
        "    this.#underWay = undefined;\n    this.#begin();": "    this.#underWay = undefined;",
      },
    },
    found: /Nobody can go on|each outcome once/,
  },
  "outcomes that nobody has seen are overwritten": {
    ...{ file: "commits.ts", name: "smallRing" },
    files: {
      "overlay/commit/worker_committer.ts": {
        "this.#ring.size / 2);\n      this.#look();": "this.#ring.size / 2);",
      },
    },
    found: /each outcome once/,
  },
  "who waits for a commit sleeps on what it has not seen": {
    ...{ file: "commits.ts", name: "twoJobs" },
    files: {
      "overlay/commit/commit_ring.ts": {
        "Atomics.wait(this.#cells, AT.completed, seen)":
          "Atomics.wait(this.#cells, AT.completed, Atomics.load(this.#cells, AT.completed))",
      },
      "overlay/commit/worker_committer.ts": {},
      "overlay/commit/commit_intake.ts": {},
    },
    found: /Nobody can go on/,
  },
  "a counter is zero for a moment": {
    ...{ file: "numbers.ts", name: "counters" },
    files: {
      "overlay/shared/counters.ts": {
        "this.#values[at] = counts[name as CounterName] as number":
          "this.#values[at] = 0, this.#values[at] = counts[name as CounterName] as number, " +
          "this.#values[at] = 0, this.#values[at] = counts[name as CounterName] as number",
      },
    },
    found: /grows/,
  },
  "threads count latencies in the same cells": {
    ...{ file: "numbers.ts", name: "latencies" },
    files: { "fuse/latencies.ts": { "this.#own = thread * THREAD_SIZE": "this.#own = 0" } },
    found: /deepEqual|strictly/i,
  },
  "an alarm has one place for its texts": {
    ...{ file: "alarm.ts", name: "setTwice" },
    files: { "backup/tree/store_alarm.ts": { "(count & 1) * TEXT_BYTES_MAX": "0 * count" } },
    found: /" after "/,
  },
  "an alarm does not look again": {
    ...{ file: "alarm.ts", name: "setThrice" },
    files: {
      "backup/tree/store_alarm.ts": {
        "(Atomics.load(this.#state, 0) !== state) continue": "(false)",
      },
    },
    found: /" after "/,
  },
  "an alarm is off for a moment": {
    ...{ file: "alarm.ts", name: "setTwice" },
    files: {
      "backup/tree/store_alarm.ts": {
        "    const start = placeOf(count);\n":
          "    const start = placeOf(count);\n    Atomics.store(this.#state, 0, 0);\n",
      },
    },
    found: /"off" after "ab"/,
  },
};

for (const [what, { file, name, files, found }] of Object.entries(FAULTS)) {
  Deno.test(`it is found if ${what} [FR-443]`, async () => {
    await using mutants = await makeMutants(files);
    const { failure = "", schedules } = await explore({ file, name, replaced: mutants.replaced });
    say(`found in schedule ${schedules}`);
    assert.match(failure, found);
  });
}

Deno.test("a queue that gives out what nobody added is told of, and all reads are answered [FR-444]", async () => {
  await using mutants = await makeMutants(OLD_ORDER);
  let broken = 0;
  const { failure, schedules } = await explore({
    ...{ ...BROKEN_QUEUE, replaced: mutants.replaced, schedulesMax: 6000 },
    onRun: ({ notes }) => broken += JSON.stringify(notes).includes('"bug"') ? 1 : 0,
  });
  say(`${schedules} schedules, ${broken} with a broken queue`);
  assert.equal(failure, undefined);
  assert(broken > 0);
});
