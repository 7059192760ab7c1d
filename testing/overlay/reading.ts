/**
 * The other ends of reads, for tests: who asks, as the kernel does, and read workers, which are this
 * thread as well, but for the rest those of a mount.
 *
 * @module
 */

import { loadCodecs, type Piece, PieceReader } from "../../backup/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import type { Libc } from "../../ffi/libc.ts";
import { allocate, borrow, type NativeBuffer } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { ReadEngine } from "../../overlay/read/read_engine.ts";
import { ReadQueue, type ReadQueueMemory, readQueueMemory } from "../../overlay/read/read_queue.ts";
import { serveReads } from "../../overlay/read/serve_reads.ts";

/** What the kernel asks for at most. */
export const READ_SIZE_BYTES_MAX = 1 << 20;

const WORKERS = 4;
const REQUEST = 1 as Request;
/** Nobody has read this. */
const POISON = 0xaa;

const codecs = await loadCodecs();
/** Poison, wherever nothing was read to since somebody looked. */
const buffer = allocate(READ_SIZE_BYTES_MAX);
buffer.bytes.fill(POISON);

/** How a request ended. */
type Answer = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly errno: number };

/** What reads go through, and how many of them took the way through workers. */
export class Reading {
  readonly engine: ReadEngine;
  /** Reads that workers have answered. */
  handedOver = 0;
  readonly #libc: Libc;
  readonly #queue: ReadQueue | undefined;
  readonly #reader: PieceReader;

  constructor({ libc, workers }: { readonly libc: Libc; readonly workers: boolean }) {
    this.#libc = libc;
    this.#reader = new PieceReader({ libc, codecs });
    const queue: ReadQueueMemory | undefined = workers
      ? readQueueMemory({ backupIds: ["FAKE"], readSizeBytesMax: READ_SIZE_BYTES_MAX })
      : undefined;
    this.#queue = queue && new ReadQueue(queue);
    this.engine = new ReadEngine({
      libc: forgetful(libc),
      codecs,
      workers: queue && { queue, count: WORKERS },
    });
  }

  /** Carries out a plan for the kernel. @throws {PbkfsError} if that is what it would hear. */
  plan(plan: readonly Piece[]): Uint8Array<ArrayBuffer> {
    return this.request((target, request) => this.engine.serve(plan, target, request));
  }

  /** What a request for a read ends with. @throws {PbkfsError} as {@link Reading.plan} does. */
  request(
    ask: (target: NativeBuffer, request: Request) => number | "handedOver",
  ): Uint8Array<ArrayBuffer> {
    const done = ask(buffer, REQUEST);
    return done === "handedOver" ? this.#answer() : taken(buffer.bytes.subarray(0, done));
  }

  close(): void {
    this.engine.close();
  }

  /** Does what the workers do, until nothing is left to be done. */
  #answer(): Uint8Array<ArrayBuffer> {
    this.handedOver++;
    const queue = this.#queue as ReadQueue;
    const answers: Answer[] = [];
    const errors: unknown[] = [];
    serveReads({
      queue: {
        take: () => queue.pending > 0 ? queue.take() : undefined,
        finish: (part, errno) => queue.finish(part, errno),
        release: (part) => queue.release(part),
      },
      reader: this.#reader,
      answers: {
        bytes: (_, from, sizeBytes) => answers.push({ bytes: taken(borrow(from, sizeBytes)) }),
        error: (_, errno) => answers.push({ errno }),
      },
      close: (fd) => this.#libc.close(fd),
      onPart() {},
      onAnswered() {},
      onError: (error) => errors.push(error),
    });
    const [answer] = answers;
    if (answer === undefined || answers.length > 1) {
      throw new Error(`A read has ${answers.length} answers`, { cause: errors[0] });
    }
    if ("errno" in answer) {
      throw new PbkfsError("Io", { what: "A worker could not read", ...answer, cause: errors[0] });
    }
    if (errors.length > 0) throw new Error("An error was not answered", { cause: errors[0] });
    return answer.bytes;
  }
}

/** What was read; the memory belongs to the next read. */
function taken(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  bytes.fill(POISON);
  return copy;
}

/** A system whose page cache has every other thing that it is asked for. */
function forgetful(libc: Libc): Libc {
  let calls = 0;
  const lookUp = () => {
    if (calls++ % 2 === 1) return;
    throw new PbkfsError("Io", { what: "This is not cached", errno: ERRNO.EAGAIN });
  };
  return {
    ...libc,
    preadCached(...args) {
      lookUp();
      return libc.pread(...args);
    },
    preadvCached(...args) {
      lookUp();
      return libc.preadv(...args);
    },
  };
}
