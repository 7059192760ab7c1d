/**
 * Reads on their way through the queue: one thread adds, and perhaps closes, the others serve.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Piece } from "../../../backup/mod.ts";
import { PbkfsError } from "../../../errors.ts";
import type { ByteString } from "../../../ffi/bytes.ts";
import type { Fd } from "../../../ffi/libc.ts";
import type { NativeBuffer } from "../../../ffi/memory.ts";
import type { Request } from "../../../fuse/mod.ts";
import type { ReadQueueMemory } from "../../../overlay/read/read_queue.ts";
import type { Modules, Note, Scenario } from "../scenario.ts";

type QueueModule = typeof import("../../../overlay/read/read_queue.ts");
type ServiceModule = typeof import("../../../overlay/read/serve_reads.ts");
type Memory = Record<string, unknown>;

/** What a thread notes. */
type Fact =
  | { readonly added: number }
  | { readonly took: Fd }
  | { readonly answered: Request; readonly bytes: readonly number[] }
  | { readonly closed: Fd }
  | { readonly bug: string };

/** Of part `part` of read `read`, counted from 1 and from 0. */
const fdOf = (read: number, part: number) => (read * 10 + part) as Fd;
const readOf = (fd: Fd) => Math.floor(fd / 10);
const partOf = (fd: Fd) => fd % 10;

/** Every part is one byte, for which its descriptor stands. */
function piecesOf(fd: Fd): Piece[] {
  const range = { offsetBytes: readOf(fd) * 1000 + partOf(fd), sizeBytes: 1 };
  const of = { path: `f${readOf(fd)}` as ByteString, backupId: "AAA", block: partOf(fd) };
  return [{ in: "file", fd, range, of }];
}

interface QueueOptions {
  /** How many parts each read has. */
  readonly reads: readonly number[];
  /** How many threads serve; without a close, each ends after one part, so as many as parts. */
  readonly workers: number;
  readonly closes: boolean;
  /** A worker may find that the queue is broken, and tell of it. */
  readonly bugsMax?: number;
}

async function readQueue(modules: Modules, options: QueueOptions): Promise<Scenario> {
  const { reads, workers, closes, bugsMax = 0 } = options;
  const { ReadQueue, readQueueMemory } = await modules<QueueModule>("overlay/read/read_queue.ts");
  const { serveReads } = await modules<ServiceModule>("overlay/read/serve_reads.ts");
  const fds = reads.map((parts, index) =>
    Array.from({ length: parts }, (_, part) => fdOf(index + 1, part))
  );
  const queueOf = (memory: Memory) => new ReadQueue(memory as unknown as ReadQueueMemory);

  function adds(memory: Memory, note: (fact: Fact) => void): void {
    const queue = queueOf(memory);
    for (const [index, parts] of fds.entries()) {
      const request = (index + 1) as Request;
      const isAdded = queue.add({ request, parts: parts.map(piecesOf) }, (fd) => fd);
      if (isAdded) note({ added: request });
    }
    if (!closes) return;
    queue.close();
    assert.equal(queue.pending, 0);
  }

  function serves(memory: Memory, note: (fact: Fact) => void): void {
    const queue = queueOf(memory);
    let left = closes ? Infinity : 1;
    let answer: NativeBuffer | undefined;
    serveReads({
      queue: {
        take: () => left-- > 0 ? queue.take() : undefined,
        finish: (part, errno) => queue.finish(part, errno),
        release: (part) => queue.release(part),
      },
      reader: {
        read(pieces, target, offsetBytes = 0) {
          const [piece] = pieces;
          assert(piece?.in === "file");
          assert.deepEqual(pieces, piecesOf(piece.fd), "a part is as it was added");
          assert.equal(offsetBytes, partOf(piece.fd));
          note({ took: piece.fd });
          target.bytes[offsetBytes] = piece.fd;
          answer = target;
          return 1;
        },
      },
      answers: {
        bytes(request, _, sizeBytes) {
          note({ answered: request, bytes: [...(answer?.bytes.subarray(0, sizeBytes) ?? [])] });
        },
        error: (_, errno) => assert.fail(`a read failed with ${errno}`),
      },
      close: (fd) => note({ closed: fd }),
      onPart() {},
      onAnswered() {},
      onError(error) {
        if (bugsMax === 0 || !(error instanceof PbkfsError) || error.code !== "Bug") throw error;
        left++;
        note({ bug: error.message });
      },
    });
  }

  return {
    memory: () => ({ ...readQueueMemory({ backupIds: ["AAA"], readSizeBytesMax: 64 }) }),
    threads: [adds as Thread, ...Array.from({ length: workers }, () => serves as Thread)],
    check(notes, memory) {
      const facts = notes.flat() as Fact[];
      const all = (pick: (fact: Fact) => number[]) => facts.flatMap(pick).sort();
      assert.deepEqual(
        all((fact) => "added" in fact ? [fact.added] : []),
        reads.map((_, at) => at + 1),
      );
      assert.deepEqual(all((fact) => "took" in fact ? [fact.took] : []), fds.flat(), "taken once");
      assert.deepEqual(all((fact) => "closed" in fact ? [fact.closed] : []), fds.flat());
      const answers = facts.flatMap((fact) => "answered" in fact ? [fact] : [])
        .sort((one, other) => one.answered - other.answered);
      assert.deepEqual(
        answers,
        fds.map((bytes, at) => ({ answered: at + 1, bytes })),
        "each read answered once, with its bytes",
      );
      assert(all((fact) => "bug" in fact ? [1] : []).length <= bugsMax);
      assert.equal(queueOf(memory).pending, 0);
    },
  };
}

type Thread = (memory: Memory, note: Note) => void;

/** Two reads of one part. */
export const twoReads = (modules: Modules) =>
  readQueue(modules, { reads: [1, 1], workers: 2, closes: false });

/** The same, where workers find out that the queue gives out what nobody added. */
export const twoReadsOfBrokenQueue = (modules: Modules) =>
  readQueue(modules, { reads: [1, 1], workers: 2, closes: false, bugsMax: 1 });

/** One read of two parts. */
export const twoParts = (modules: Modules) =>
  readQueue(modules, { reads: [2], workers: 2, closes: false });

/** Two reads, and an end. */
export const twoReadsAndClose = (modules: Modules) =>
  readQueue(modules, { reads: [1, 1], workers: 2, closes: true });

/** One read of two parts, and an end. */
export const twoPartsAndClose = (modules: Modules) =>
  readQueue(modules, { reads: [2], workers: 2, closes: true });

/** Three workers, a read of two parts and one of one, and an end. */
export const threeWorkers = (modules: Modules) =>
  readQueue(modules, { reads: [2, 1], workers: 3, closes: true });
