/**
 * Reads what V8 prints with `--trace-gc`: a line for each garbage collection.
 *
 * @module
 */

/** A collection, as far as JavaScript had to wait for it. */
export interface Collection {
  /** Which heap: each thread that runs JavaScript has one. */
  readonly isolate: string;
  /** When it ended, in milliseconds since the heap was made. */
  readonly endMs: number;
  /** `Scavenge`, `Mark-Compact` and the like. */
  readonly kind: string;
  /** How long JavaScript stood still at the end; for the smaller ones, all in all. */
  readonly pauseMs: number;
  /** The longest of the steps of marking before, during each of which it stood still, too. */
  readonly stepMs: number;
}

/**
 * `[PID:ISOLATE] AT ms: KIND BEFORE (COMMITTED) -> AFTER (COMMITTED) MB, pooled: P MB, TOTAL /
 * EXTERNAL ms (+ STEPS ms in N steps since start of marking, biggest step STEP ms, …) …`. TOTAL
 * is what the main thread took, including EXTERNAL, callbacks before and after. What other threads
 * did meanwhile is not in it. Older V8 does not say what is pooled.
 *
 * @see GCTracer::Print in V8, src/heap/gc-tracer.cc
 */
const LINE = new RegExp(
  [
    /^\[\d+:(?<isolate>0x[0-9a-f]+)\] +(?<endMs>\d+) ms: /,
    /(?<kind>[^\d]+?) [\d.]+ \([\d.]+\) -> [\d.]+ \([\d.]+\) MB, (?:pooled: [\d.]+ MB, )?/,
    /(?<pauseMs>[\d.]+) \/ [\d.]+ ms(?:.* biggest step (?<stepMs>[\d.]+) ms)?/,
  ].map(({ source }) => source).join(""),
  "gm",
);

/** The collections in what a process printed; other lines are passed over. */
export function parseCollections(printed: string): Collection[] {
  return [...printed.matchAll(LINE)].map(({ groups = {} }) => ({
    isolate: groups["isolate"]!,
    endMs: Number(groups["endMs"]),
    kind: groups["kind"]!,
    pauseMs: Number(groups["pauseMs"]),
    stepMs: Number(groups["stepMs"] ?? 0),
  }));
}

/** Those of the heap that was collected most often: under load, the busiest thread. */
export function ofBusiest(collections: readonly Collection[]): Collection[] {
  const heaps = Map.groupBy(collections, ({ isolate }) => isolate);
  return [...heaps.values()].reduce((a, b) => a.length >= b.length ? a : b, []);
}

/** Each time for which JavaScript stood still, in milliseconds. */
export function pausesMs(collections: readonly Collection[]): number[] {
  return collections.flatMap(({ pauseMs, stepMs }) => stepMs > 0 ? [pauseMs, stepMs] : [pauseMs]);
}
