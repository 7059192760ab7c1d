/**
 * Reads that would keep the dispatcher waiting go to a few threads of their own: those that the
 * disk has to answer, and those with much to decompress.
 *
 * @module
 */

import { decodingMicros, heldMissing, type Piece, type PieceReader } from "../../backup/mod.ts";
import { ERRNO, errnoOf, PbkfsError, toPbkfsError } from "../../errors.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";
import type { NativeBuffer } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { Thread } from "../../threads/mod.ts";
import { OverlayCounters } from "../shared/counters.ts";
import type { WorkerNews, WorkerReporting } from "../shared/worker_news.ts";
import { ReadQueue, type ReadQueueMemory, readQueueMemory } from "./read_queue.ts";

/** What a read worker is told to begin. */
export interface ReadWorkerSetup extends WorkerReporting, CodecsToLoad {
  readonly queue: ReadQueueMemory;
  readonly counters: SharedArrayBuffer;
}

/** The workers, for the thread that starts them. */
export interface ReadWorkers {
  readonly queue: ReadQueueMemory;
  readonly count: number;
  /** What each of them has done. */
  readonly counters: readonly OverlayCounters[];
  terminate(): void;
}

/**
 * A read of more work than this is worth a hop to other threads, if some are idle. It is 128 KiB of
 * zlib, the kernel's usual read-ahead; the hop takes a third of that.
 */
const INLINE_MICROS_MAX = 128;

/** As many as the machine has processors, within reason. */
export function readWorkerCount(cores = navigator.hardwareConcurrency): number {
  return Math.max(2, Math.min(cores, 8));
}

/** What a thread loads before it is told what to do. */
export interface CodecsToLoad {
  /** false: only the decoders that come with pbkfs. */
  readonly systemCodecs: boolean;
}

/** One of the threads. */
export type ReadThread = Thread<CodecsToLoad, ReadWorkerSetup, true, WorkerNews>;

/** A thread that is still to be told what to do. */
export function newReadThread(): ReadThread {
  return new Thread(new URL("./read_worker.ts", import.meta.url));
}

/** Starts workers, and waits until they are ready. */
export async function startReadWorkers(
  options: WorkerReporting & CodecsToLoad & {
    readonly threads: readonly ReadThread[];
    readonly backupIds: readonly string[];
    readonly readSizeBytesMax: number;
  },
  onNews: (news: WorkerNews) => void = () => {},
): Promise<ReadWorkers> {
  const { threads, backupIds, readSizeBytesMax, ...rest } = options;
  const count = threads.length;
  const queue = readQueueMemory({ backupIds, readSizeBytesMax });
  const counters = Array.from({ length: count }, () => new OverlayCounters());
  const terminate = () => threads.forEach((thread) => thread.terminate());
  const starts = threads.map(async (thread, index) => {
    thread.ended.catch((error) =>
      onNews({ problem: { what: "a read worker", error: toPbkfsError(error).toJSON() } })
    );
    const { shared } = counters[index] as OverlayCounters;
    await thread.begin({ ...rest, queue, counters: shared }, { onNews });
  });
  try {
    await Promise.all(starts);
  } catch (error) {
    terminate();
    throw error;
  }
  return { queue, count, counters, terminate };
}

/** Decides where a read is done. For the dispatcher. */
export class ReadPool {
  readonly #queue: ReadQueue;
  readonly #count: number;
  readonly #libc: Libc;
  readonly #cached: PieceReader;
  readonly #waiting: PieceReader;

  /**
   * @param options.cached Reads what is in the page cache, and throws EAGAIN where that is not all.
   * @param options.waiting Reads anything.
   */
  constructor(options: {
    readonly workers: Pick<ReadWorkers, "queue" | "count">;
    readonly libc: Libc;
    readonly cached: PieceReader;
    readonly waiting: PieceReader;
  }) {
    this.#queue = new ReadQueue(options.workers.queue);
    this.#count = options.workers.count;
    this.#libc = options.libc;
    this.#cached = options.cached;
    this.#waiting = options.waiting;
  }

  /** Reads `pieces` to `target`, or hands the request over to a worker, which answers it. */
  read(pieces: readonly Piece[], target: NativeBuffer, request: Request): number | "handedOver" {
    const work = workOf(pieces);
    const idle = this.#count - this.#queue.pending;
    if (work > INLINE_MICROS_MAX && idle > 0) {
      const count = Math.min(idle, Math.ceil(work / INLINE_MICROS_MAX));
      if (this.#handOver(request, partsOf(pieces, work / count))) return "handedOver";
    }
    try {
      return this.#cached.read(pieces, target);
    } catch (error) {
      if (!(error instanceof PbkfsError) || error.errno !== ERRNO.EAGAIN) throw error;
    }
    // Of the disk, one thread asks for all: it is quickest when it is asked in order.
    if (this.#handOver(request, [pieces])) return "handedOver";
    return this.#waiting.read(pieces, target);
  }

  /** Waits until every read handed over is answered, and lets the workers end. */
  close(): void {
    this.#queue.close();
  }

  /** Before a worker reads it, who could not tell it from a file that is cut meanwhile. */
  #mustHave(piece: Piece): void {
    if (piece.in !== "file" || piece.isHeld !== true) return;
    const { sizeBytes } = this.#libc.fstat(piece.fd);
    if (sizeBytes < piece.range.offsetBytes + piece.range.sizeBytes) throw heldMissing(sizeBytes);
  }

  /** @throws {PbkfsError} `DiffDamaged` if a file of the diff lacks what it must have. */
  #handOver(request: Request, parts: readonly (readonly Piece[])[]): boolean {
    for (const pieces of parts) for (const piece of pieces) this.#mustHave(piece);
    // Descriptors of the plan may be closed by the next one.
    const copies: Fd[] = [];
    try {
      return this.#queue.add({ request, parts }, (fd) => {
        const copy = this.#libc.dup(fd);
        copies.push(copy);
        return copy;
      });
    } catch (error) {
      for (const copy of copies) this.#libc.close(copy);
      if (errnoOf(error) !== ERRNO.EMFILE) throw error;
      return false; // Here it needs none.
    }
  }
}

function workOf(pieces: readonly Piece[]): number {
  let work = 0;
  for (const piece of pieces) work += decodingMicros(piece);
  return work;
}

/** Divides a read where pieces meet, into parts of at least about `work` each. */
function partsOf(pieces: readonly Piece[], work: number): Piece[][] {
  const parts: Piece[][] = [];
  let part: Piece[] = [];
  let done = 0;
  for (const piece of pieces) {
    part.push(piece);
    done += decodingMicros(piece);
    if (done < work * (parts.length + 1) - 0.5) continue;
    parts.push(part);
    part = [];
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
