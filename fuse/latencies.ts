/**
 * How long requests took: a histogram for each kind of request, in memory that threads share.
 *
 * The buckets grow with the time, four to each doubling, so that a percentile is exact to a fifth
 * and all of it takes a few kilobytes. Counting a request costs less than a microsecond.
 *
 * @module
 */

/** Kinds of requests; `change` is all that changes names or attributes. */
export const REQUEST_KINDS = ["read", "write", "sync", "lookup", "list", "change"] as const;

/** A kind of request. */
export type RequestKind = typeof REQUEST_KINDS[number];

const BUCKETS_PER_DOUBLING = 4;
/** From 1 µs to half an hour; the first bucket has what is shorter. */
const BUCKET_COUNT = 1 + 31 * BUCKETS_PER_DOUBLING;
/** Before the buckets: the sum of all times, and the longest, in nanoseconds. */
const SUM_AT = 0;
const MAX_AT = 1;
const BUCKETS_AT = 2;
const ROW_SIZE = BUCKETS_AT + BUCKET_COUNT;

/** The times of one kind, in microseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly sumMicros: number;
  readonly maxMicros: number;
  readonly p50Micros: number;
  readonly p95Micros: number;
  readonly p99Micros: number;
}

/** A clock that all threads of the process share, in milliseconds. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Histograms that any thread adds to, and any may read. */
export class Latencies {
  readonly shared: SharedArrayBuffer;
  readonly #cells: BigInt64Array<SharedArrayBuffer>;

  /** @param shared Memory of another instance, to add to it or see it. */
  constructor(shared = new SharedArrayBuffer(REQUEST_KINDS.length * ROW_SIZE * 8)) {
    this.shared = shared;
    this.#cells = new BigInt64Array(shared);
  }

  /** Counts a request of the kind at that place in {@link REQUEST_KINDS}. */
  add(kind: number, milliseconds: number): void {
    const cells = this.#cells;
    const row = kind * ROW_SIZE;
    const nanos = BigInt(Math.max(0, Math.round(milliseconds * 1e6)));
    Atomics.add(cells, row + BUCKETS_AT + bucketOf(milliseconds * 1000), 1n);
    Atomics.add(cells, row + SUM_AT, nanos);
    for (let max = cells[row + MAX_AT]!; nanos > max;) {
      max = Atomics.compareExchange(cells, row + MAX_AT, max, nanos);
    }
  }

  /** What was counted so far. */
  summary(kind: RequestKind): LatencySummary {
    const row = REQUEST_KINDS.indexOf(kind) * ROW_SIZE;
    const maxMicros = Number(this.#cells[row + MAX_AT]) / 1000;
    const counts = this.#counts(kind);
    const count = counts.reduce((sum, value) => sum + value, 0);
    const percentile = (share: number): number => {
      let below = 0;
      const bucket = counts.findIndex((value) => (below += value) >= share * count && below > 0);
      return bucket < 0 ? 0 : Math.min(maxMicros, bucketEndMicros(bucket));
    };
    return {
      count,
      sumMicros: Number(this.#cells[row + SUM_AT]) / 1000,
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
    const row = REQUEST_KINDS.indexOf(kind) * ROW_SIZE;
    return Array.from(this.#cells.slice(row + BUCKETS_AT, row + ROW_SIZE), Number);
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
  // LOOKUP, FORGET, GETATTR, READLINK, STATFS, GETXATTR, LISTXATTR, ACCESS, BATCH_FORGET
  set("lookup", 1, 2, 3, 5, 17, 22, 23, 34, 42);
  set("read", 15);
  set("write", 16);
  set("sync", 20, 30); // FSYNC, FSYNCDIR
  set("list", 28, 44); // READDIR, READDIRPLUS
  return kinds;
}
