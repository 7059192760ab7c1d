/**
 * What a mount has done so far, in memory that threads share.
 *
 * @module
 */

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

/** Where each number lies: counting is part of every request. */
const PLACES = Object.fromEntries(
  COUNTER_NAMES.map((name, at) => [name, at]),
) as Readonly<Record<CounterName, number>>;

/** Numbers that one thread adds to and any may read. */
export class OverlayCounters {
  readonly shared: SharedArrayBuffer;
  readonly #values: Float64Array<SharedArrayBuffer>;

  /** @param shared Memory of another instance, to see its numbers. */
  constructor(shared = new SharedArrayBuffer(COUNTER_NAMES.length * 8)) {
    this.shared = shared;
    this.#values = new Float64Array(shared);
  }

  add(name: CounterName, amount: number): void {
    const at = PLACES[name];
    this.#values[at] = (this.#values[at] as number) + amount;
  }

  /** Takes over numbers that somebody else counts. */
  takeOver(counts: Partial<Record<CounterName, number>>): void {
    for (const name in counts) {
      const at = PLACES[name as CounterName] as number | undefined;
      if (at !== undefined) this.#values[at] = counts[name as CounterName] as number;
    }
  }

  /** All numbers, as of now. */
  snapshot(): Record<CounterName, number> {
    return Object.fromEntries(
      COUNTER_NAMES.map((name, at) => [name, this.#values[at]]),
    ) as Record<CounterName, number>;
  }
}

/** The numbers of several threads together. */
export function sumOf(counters: readonly OverlayCounters[]): Record<CounterName, number> {
  const all = counters.map((each) => each.snapshot());
  return Object.fromEntries(
    COUNTER_NAMES.map((name) => [name, all.reduce((sum, each) => sum + each[name], 0)]),
  ) as Record<CounterName, number>;
}
