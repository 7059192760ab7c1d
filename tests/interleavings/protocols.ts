/**
 * What is explored of each protocol in shared memory, and how far: in the suite, and by
 * `deno task interleavings`.
 *
 * @module
 */

import type { Edits } from "./mutants.ts";
import type { ScenarioPlace } from "./runner.ts";

/** How often threads are interrupted at most; `all`: each schedule that makes a difference. */
export type Bound = number | "all";

/** A scenario, and the bound. */
export interface ProtocolCase extends Pick<ScenarioPlace, "file" | "name"> {
  readonly protocol: "read queue" | "commits" | "numbers" | "alarm";
  readonly inSuite: Bound;
  readonly whole: Bound;
}

/** All of them. */
export const PROTOCOLS: readonly ProtocolCase[] = [
  ...cases("read queue", "read_queue.ts", {
    twoParts: ["all", "all"],
    twoReads: ["all", "all"],
    twoPartsAndClose: [1, 2],
    twoReadsAndClose: [0, 2],
    threeWorkers: [0, 1],
  }),
  ...cases("commits", "commits.ts", {
    twoJobs: [2, "all"],
    threeJobs: [2, 4],
    smallRing: [2, "all"],
    lateStore: [2, 4],
  }),
  ...cases("numbers", "numbers.ts", { counters: ["all", "all"], latencies: ["all", "all"] }),
  ...cases("alarm", "alarm.ts", { setTwice: ["all", "all"], setThrice: ["all", "all"] }),
];

function cases(
  protocol: ProtocolCase["protocol"],
  file: string,
  bounds: Readonly<Record<string, readonly [inSuite: Bound, whole: Bound]>>,
): ProtocolCase[] {
  return Object.entries(bounds).map(([name, [inSuite, whole]]) => ({
    ...{ protocol, file, name, inSuite, whole },
  }));
}

/**
 * The read queue as it once was: TAIL is loaded before HEAD. When another worker takes a part in
 * between, a new head and an old tail differ although nothing is there.
 */
export const OLD_ORDER: Readonly<Record<string, Edits>> = {
  "overlay/read/read_queue.ts": {
    "const head = Atomics.load(this.#control, HEAD);":
      "const tail = Atomics.load(this.#control, TAIL);",
    "const tail = Atomics.load(this.#control, TAIL);\n    if (head":
      "const head = Atomics.load(this.#control, HEAD);\n    if (head",
  },
};

/** The same, with all that would notice left out. */
export const UNCHECKED: typeof OLD_ORDER = {
  "overlay/read/read_queue.ts": {
    ...OLD_ORDER["overlay/read/read_queue.ts"],
    "if (Atomics.compareExchange(this.#control, state, filled, TAKEN) !== filled) return undefined;":
      "Atomics.store(this.#control, state, filled & TAKEN);",
  },
  "overlay/read/read_jobs.ts": {
    "    checkLive(of, state);\n    if (errno": "    if (errno",
    "      checkLive(of, seen);\n": "",
    "if (seen !== answering) throw notLive(of, seen);": "",
  },
};

/** With the old order, workers find out that the queue is broken, and go on. */
export const BROKEN_QUEUE = { file: "read_queue.ts", name: "twoReadsOfBrokenQueue" } as const;

/** As an option of `explore`. */
export function limitOf(bound: Bound): { readonly interruptionsMax?: number } {
  return bound === "all" ? {} : { interruptionsMax: bound };
}

/** In words. */
export function boundText(bound: Bound): string {
  return bound === "all" ? "all interleavings" : `all with ${bound} interruptions`;
}
