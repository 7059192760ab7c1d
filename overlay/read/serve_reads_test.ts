import assert from "node:assert/strict";
import type { Piece } from "../../backup/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import type { Fd } from "../../ffi/libc.ts";
import type { Request } from "../../fuse/mod.ts";
import { type QueuedPart, ReadQueue, readQueueMemory } from "./read_queue.ts";
import { type ReadService, serveReads } from "./serve_reads.ts";

const range = { offsetBytes: 0, sizeBytes: 1 };
const piece = (fd: number): Piece => ({ in: "file", fd: fd as Fd, range });

/** One worker on a queue, of which one thing or another fails. */
function serve(
  reads: readonly number[],
  wrong: (queue: ReadQueue) => Partial<ReadService> = () => ({}),
): { readonly answers: string[]; readonly errors: string[]; readonly pending: number } {
  const queue = new ReadQueue(readQueueMemory({ backupIds: [], readSizeBytesMax: 4096 }));
  const answers: string[] = [];
  const errors: string[] = [];
  for (const read of reads) {
    assert(queue.add({ request: read as Request, parts: [[piece(read)]] }, (fd) => fd));
  }
  let left = reads.length;
  serveReads({
    queue: {
      take: () => left-- > 0 ? queue.take() : undefined,
      finish: (part, errno) => queue.finish(part, errno),
      release: (part) => queue.release(part),
    },
    reader: { read: () => 1 },
    answers: {
      bytes: (request, _, sizeBytes) => answers.push(`${request}: ${sizeBytes} bytes`),
      error: (request, errno) => answers.push(`${request}: errno ${errno}`),
    },
    close: (fd) => answers.push(`closed ${fd}`),
    onPart() {},
    onAnswered() {},
    onError: (error) => errors.push((error as Error).message),
    ...wrong(queue),
  });
  return { answers, errors, pending: queue.pending };
}

const ALL = ["1: 1 bytes", "closed 1", "2: 1 bytes", "closed 2"];

Deno.test("a read that fails is answered with its errno, and the next one is served [FR-444]", () => {
  const reader = (): Partial<ReadService> => ({
    reader: {
      read([piece]) {
        if (piece?.in === "file" && piece.fd === 2) return 1;
        throw new PbkfsError("Io", { what: "The disk", errno: ERRNO.ESTALE });
      },
    },
  });
  assert.deepEqual(serve([1, 2], reader), {
    answers: [`1: errno ${ERRNO.ESTALE}`, ...ALL.slice(1)],
    errors: ["The disk"],
    pending: 0,
  });
});

for (const what of ["onAnswered", "onPart", "close"] as const) {
  Deno.test(`whatever fails beside a read (${what}), it is answered and the worker goes on [FR-444]`, () => {
    const { answers, errors, pending } = serve([1, 2], () => ({
      [what]: () => {
        throw new Error("unforeseen");
      },
    }));
    const told = answers.filter((answer) => !answer.startsWith("closed"));
    assert.deepEqual(told.map((answer) => answer.slice(0, 2)), ["1:", "2:"]);
    assert.deepEqual([errors, pending], [["unforeseen", "unforeseen"], 0]);
  });
}

Deno.test("a part that belongs to no read under way answers nobody, and is told of [FR-444]", () => {
  let first: QueuedPart | undefined;
  const again = (queue: ReadQueue): Partial<ReadService> => {
    let turn = 0;
    return {
      queue: {
        take() {
          turn++;
          if (turn > 3) return undefined;
          if (turn === 2) return first; // A part that was done already.
          const part = queue.take();
          first ??= part;
          return part;
        },
        finish: (part, errno) => queue.finish(part, errno),
        release: (part) => queue.release(part),
      },
    };
  };
  const { answers, errors, pending } = serve([1, 2], again);
  assert.deepEqual([answers, pending], [ALL, 0]);
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", /^A part of read number 1 of job 0 was done, which has number 1/);
});

Deno.test("a part of an earlier read does not count for the next one of its job [FR-444]", () => {
  const queue = new ReadQueue(readQueueMemory({ backupIds: [], readSizeBytesMax: 4096 }));
  const add = (request: number) =>
    queue.add({ request: request as Request, parts: [[piece(1)], [piece(1)]] }, (fd) => fd);
  assert(add(1));
  const [one, other] = [queue.take()!, queue.take()!];
  queue.finish(one, 0);
  queue.finish(other, 0);
  assert.throws(() => queue.release({ ...one, number: 7 }), { code: "Bug" });
  queue.release(other);
  assert.throws(() => queue.release(other), { code: "Bug" });
  assert(add(2));
  const next = queue.take()!;
  assert.equal(next.job, one.job);
  assert.throws(() => queue.finish(one, ERRNO.EIO), { code: "Bug" });
  assert.equal(queue.finish(next, 0), undefined, "there is one more");
  const last = queue.take()!;
  assert.equal(queue.finish(last, 0)?.errno, 0, "nor is its failure that read's");
  assert.throws(() => queue.finish(last, 0), { code: "Bug" }, "somebody answers already");
  queue.release(last);
  assert.equal(queue.pending, 0);
});
