/**
 * The counters of a mount: what it has done so far, in memory that threads share.
 *
 * @module
 */

import { plainRecord } from "../../threads/mod.ts";

/** The numbers, in the order in which they lie in memory. */
export const COUNTER_NAMES = [
  "reads",
  "readBytes",
  "writes",
  "writtenBytes",
  "syncs",
  "storeBytesRead",
  "indexBytesRead",
  "storeReads",
  "recordsDecoded",
  "indexesMade",
  "filesOpened",
] as const;

/** The name of a number. */
export type CounterName = typeof COUNTER_NAMES[number];

/** The memory: numbers of eight bytes. */
const COUNTERS = plainRecord(COUNTER_NAMES);
/** Where each number lies: counting is part of every request. */
const CELLS = COUNTERS.at;

/** Numbers that one thread adds to and any may read. */
export class OverlayCounters {
  readonly shared: SharedArrayBuffer;
  readonly #values: Float64Array<SharedArrayBuffer>;

  /** @param shared Memory of another instance, to see its numbers. */
  constructor(shared = new SharedArrayBuffer(COUNTERS.size * 8)) {
    this.shared = shared;
    this.#values = new Float64Array(shared);
  }

  add(name: CounterName, amount: number): void {
    const at = CELLS[name];
    this.#values[at] = (this.#values[at] as number) + amount;
  }

  /** Takes over numbers that somebody else counts. */
  takeOver(counts: Partial<Record<CounterName, number>>): void {
    for (const name in counts) {
      const at = CELLS[name as CounterName] as number | undefined;
      if (at !== undefined) this.#values[at] = counts[name as CounterName] as number;
    }
  }

  /** All numbers, as of now. */
  snapshot(): Record<CounterName, number> {
    return COUNTERS.read(this.#values, 0);
  }
}

/** The numbers of several threads together. */
export function sumOf(counters: readonly OverlayCounters[]): Record<CounterName, number> {
  const all = counters.map((each) => each.snapshot());
  return Object.fromEntries(
    COUNTER_NAMES.map((name) => [name, all.reduce((sum, each) => sum + each[name], 0)]),
  ) as Record<CounterName, number>;
}
