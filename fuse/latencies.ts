/**
 * Latencies of requests: a histogram for each kind of request, in memory that threads share.
 *
 * The buckets grow with the time, four to each doubling, so that a percentile is exact to a fifth
 * and all of it takes a few kilobytes. Counting a request costs less than a microsecond.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { layoutOf } from "../threads/mod.ts";

/** Kinds of requests; `change` is all that changes names or attributes. */
export const REQUEST_KINDS = ["read", "write", "sync", "lookup", "list", "change"] as const;

/** A kind of request. */
export type RequestKind = typeof REQUEST_KINDS[number];

const BUCKETS_PER_DOUBLING = 4;
/** From 1 µs to half an hour; the first bucket has what is shorter. */
const BUCKET_COUNT = 1 + 31 * BUCKETS_PER_DOUBLING;
/** Of a kind: the sum of all times, and the longest, in microseconds; and the buckets. */
const ROW = layoutOf({ SUM_AT: 1, MAX_AT: 1, BUCKETS_AT: BUCKET_COUNT });
const { SUM_AT, MAX_AT, BUCKETS_AT } = ROW.at;
const ROW_SIZE = ROW.size;
/**
 * A thread adds to cells of its own, so that plain numbers do: atomic ones would be `BigInt`s. Eight
 * bytes that are aligned are read and written whole on both of our architectures.
 */
const THREADS_MAX = 16;
const THREAD_SIZE = REQUEST_KINDS.length * ROW_SIZE;
/** In front of the cells: how many threads have begun to add. */
const HEAD_BYTES = 8;

/** The times of one kind, in microseconds. */
export interface LatencySummary {
  /** How many there were. */
  readonly count: number;
  /** All of them together, in microseconds, as all times here. */
  readonly sumMicros: number;
  /** The longest. */
  readonly maxMicros: number;
  /** Half of them took no longer. */
  readonly p50Micros: number;
  /** 95 of 100 took no longer. */
  readonly p95Micros: number;
  /** 99 of 100 took no longer. */
  readonly p99Micros: number;
}

/** A clock that all threads of the process share, in milliseconds. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Histograms that any thread adds to, and any may read. An instance belongs to one thread. */
export class Latencies {
  readonly shared: SharedArrayBuffer;
  readonly #threads: Int32Array<SharedArrayBuffer>;
  readonly #cells: Float64Array<SharedArrayBuffer>;
  /** Where the cells of this instance begin; -1 before it has added anything. */
  #own = -1;

  /** @param shared Memory of another instance, to add to it or see it. */
  constructor(shared = new SharedArrayBuffer(HEAD_BYTES + THREADS_MAX * THREAD_SIZE * 8)) {
    this.shared = shared;
    this.#threads = new Int32Array(shared, 0, 1);
    this.#cells = new Float64Array(shared, HEAD_BYTES);
  }

  /**
   * Gets this thread its cells. Who must not fail later calls this before the first `add`.
   *
   * @throws {PbkfsError} `Bug` if more threads add than there is room for.
   */
  begin(): void {
    if (this.#own >= 0) return;
    const thread = Atomics.add(this.#threads, 0, 1);
    if (thread >= THREADS_MAX) {
      throw new PbkfsError("Bug", { what: `More than ${THREADS_MAX} threads count latencies` });
    }
    this.#own = thread * THREAD_SIZE;
  }

  /**
   * Counts a request of the kind at that place in {@link REQUEST_KINDS}.
   *
   * @throws {PbkfsError} as {@link Latencies.begin} does, the first time.
   */
  add(kind: number, milliseconds: number): void {
    if (this.#own < 0) this.begin();
    const cells = this.#cells;
    const row = this.#own + kind * ROW_SIZE;
    const micros = Math.max(0, milliseconds * 1000);
    const bucket = row + BUCKETS_AT + bucketOf(micros);
    cells[bucket] = cells[bucket]! + 1;
    cells[row + SUM_AT] = cells[row + SUM_AT]! + micros;
    if (micros > cells[row + MAX_AT]!) cells[row + MAX_AT] = micros;
  }

  /** What was counted so far. */
  summary(kind: RequestKind): LatencySummary {
    const maxMicros = Math.max(...this.#ofThreads(kind, MAX_AT));
    const counts = this.#counts(kind);
    const count = counts.reduce((sum, value) => sum + value, 0);
    const percentile = (share: number): number => {
      let below = 0;
      const bucket = counts.findIndex((value) => (below += value) >= share * count && below > 0);
      return bucket < 0 ? 0 : Math.min(maxMicros, bucketEndMicros(bucket));
    };
    return {
      count,
      sumMicros: this.#ofThreads(kind, SUM_AT).reduce((sum, value) => sum + value),
      maxMicros,
      p50Micros: percentile(0.5),
      p95Micros: percentile(0.95),
      p99Micros: percentile(0.99),
    };
  }

  /** How many took less than each of these times: powers of two, in microseconds. */
  cumulative(kind: RequestKind, limitsMicros: readonly number[]): number[] {
    const counts = this.#counts(kind);
    return limitsMicros.map((limit) =>
      counts.slice(0, bucketOf(limit)).reduce((sum, value) => sum + value, 0)
    );
  }

  #counts(kind: RequestKind): number[] {
    const counts: number[] = new Array(BUCKET_COUNT).fill(0);
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      for (const count of this.#ofThreads(kind, BUCKETS_AT + bucket)) counts[bucket]! += count;
    }
    return counts;
  }

  /** The same cell of every thread. */
  #ofThreads(kind: RequestKind, at: number): number[] {
    const row = REQUEST_KINDS.indexOf(kind) * ROW_SIZE;
    const cell = (_: unknown, thread: number) => this.#cells[thread * THREAD_SIZE + row + at]!;
    return Array.from({ length: THREADS_MAX }, cell);
  }
}

function bucketOf(micros: number): number {
  if (!(micros >= 1)) return 0;
  const whole = Math.min(micros, 2 ** 31 - 1) | 0;
  const doublings = 31 - Math.clz32(whole);
  const part = (micros / (1 << doublings) - 1) * BUCKETS_PER_DOUBLING | 0;
  return 1 + doublings * BUCKETS_PER_DOUBLING + Math.min(part, BUCKETS_PER_DOUBLING - 1);
}

/** The time at which a bucket ends. */
function bucketEndMicros(bucket: number): number {
  if (bucket === 0) return 1;
  const doublings = Math.floor((bucket - 1) / BUCKETS_PER_DOUBLING);
  const part = (bucket - 1) % BUCKETS_PER_DOUBLING;
  return 2 ** doublings * (1 + (part + 1) / BUCKETS_PER_DOUBLING);
}

/** The kind of each operation of the kernel's protocol, by its number. */
export const KIND_OF_OPCODE: Uint8Array = kindsOfOpcodes();

/** @see enum fuse_opcode in linux/fuse.h */
function kindsOfOpcodes(): Uint8Array {
  const kinds = new Uint8Array(256).fill(REQUEST_KINDS.indexOf("change"));
  const set = (kind: RequestKind, ...opcodes: number[]) => {
    for (const opcode of opcodes) kinds[opcode] = REQUEST_KINDS.indexOf(kind);
  };
  // LOOKUP, FORGET, GETATTR, READLINK, STATFS, GETXATTR, LISTXATTR, ACCESS, BATCH_FORGET, LSEEK,
  // STATX
  set("lookup", 1, 2, 3, 5, 17, 22, 23, 34, 42, 46, 52);
  set("read", 15);
  set("write", 16);
  set("sync", 20, 30); // FSYNC, FSYNCDIR
  set("list", 28, 44); // READDIR, READDIRPLUS
  return kinds;
}
