/**
 * The one way in which everything is read: a plan tells where the bytes lie, and is then carried
 * out, by this thread or, for a request of the kernel, by read workers.
 *
 * @module
 */

import { type Codecs, type Piece, PieceReader, type StoreCounters } from "../../backup/mod.ts";
import type { Libc } from "../../ffi/libc.ts";
import type { NativeBuffer } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { ReadPool, type ReadWorkers } from "./read_pool.ts";

/** What reads are carried out with. */
export interface ReadEngineOptions {
  readonly libc: Libc;
  readonly codecs: Codecs;
  /** Counts what is read of the store; counted up. */
  readonly counters?: StoreCounters;
  /** Take reads that would keep this thread waiting; without them it does all itself. */
  readonly workers?: Pick<ReadWorkers, "queue" | "count"> | undefined;
  /** Called after each read that was done here, or handed over. */
  readonly onRead?: () => void;
}

/** Carries out plans. One thread uses it; the plans' descriptors are valid until it makes others. */
export class ReadEngine {
  readonly #reader: PieceReader;
  readonly #pool: ReadPool | undefined;
  readonly #onRead: () => void;

  constructor({ libc, codecs, counters, workers, onRead }: ReadEngineOptions) {
    const readerWith = (libc: Libc) =>
      new PieceReader({ libc, codecs, ...(counters !== undefined && { counters }) });
    this.#reader = readerWith(libc);
    this.#pool = workers && new ReadPool({
      workers,
      libc,
      cached: readerWith(cachedOnly(libc)),
      waiting: this.#reader,
    });
    this.#onRead = onRead ?? (() => {});
  }

  /** Reads all of a plan to the start of `target`. @returns Bytes read. */
  read(plan: readonly Piece[], target: NativeBuffer): number {
    try {
      return this.#reader.read(plan, target);
    } finally {
      this.#onRead();
    }
  }

  /** The same for a request of the kernel; if it is handed over, a worker answers it. */
  serve(plan: readonly Piece[], target: NativeBuffer, request: Request): number | "handedOver" {
    if (this.#pool === undefined) return this.read(plan, target);
    try {
      return this.#pool.read(plan, target, request);
    } finally {
      this.#onRead();
    }
  }

  /** Waits until every read handed over is answered, and lets the workers end. */
  close(): void {
    this.#pool?.close();
  }
}

/** Reads that fail with EAGAIN where the disk would have to be asked. */
function cachedOnly(libc: Libc): Libc {
  const pread = libc.preadCached.bind(libc);
  const preadv = libc.preadvCached.bind(libc);
  return { ...libc, pread, preadv };
}
