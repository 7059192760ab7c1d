import assert from "node:assert/strict";
import fc from "fast-check";
import { CODECS, type Piece, RECORD_BYTES_MAX, sizeOf } from "../../backup/mod.ts";
import { ERRNO } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Fd } from "../../ffi/libc.ts";
import type { Request } from "../../fuse/mod.ts";
import type { FinishedRead } from "./read_jobs.ts";
import { ReadQueue, readQueueMemory } from "./read_queue.ts";

const BACKUPS = ["AAA", "BBB"];
const path = "base/5/\xff\x01" as ByteString;
const fd = fc.integer({ min: 0, max: 9 }).map((number) => number as Fd);
const range = fc.record({ offsetBytes: fc.nat(2 ** 40), sizeBytes: fc.nat(1 << 14) });
const of = fc.record(
  { path: fc.constant(path), backupId: fc.constantFrom(...BACKUPS), block: fc.nat(131_071) },
);
const codec = fc.constantFrom(...CODECS);
const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ in: fc.constant("zeros" as const), sizeBytes: fc.nat(1 << 14) }),
  fc.record({ in: fc.constant("file" as const), fd, range }),
  fc.record({ in: fc.constant("file" as const), fd, range, of }),
  fc.record({
    ...{ in: fc.constant("record" as const), fd, range, codec, wanted: range, of },
    decodedSizeBytes: fc.nat(RECORD_BYTES_MAX),
  }),
);

const copyOf = (original: Fd) => (original + 100) as Fd;
const asCopied = (of: Piece): Piece => "fd" in of ? { ...of, fd: copyOf(of.fd) } : of;

const REQUEST = 0x7fff_1234_5678 as Request;
const zeros: Piece = { in: "zeros", sizeBytes: 1 };

/** A queue whose answers are short. */
const shortQueue = () => readQueueMemory({ backupIds: BACKUPS, readSizeBytesMax: 4096 });
const longQueue = () => readQueueMemory({ backupIds: BACKUPS, readSizeBytesMax: 4 << 20 });
const added = (queue: ReadQueue, ...parts: (readonly Piece[])[]) =>
  queue.add({ request: REQUEST, parts }, copyOf);

Deno.test("a read comes out of the queue as it went in, with descriptors of its own [FR-427]", () => {
  const parts = fc.array(fc.array(piece, { minLength: 1, maxLength: 60 }), {
    ...{ minLength: 1, maxLength: 4 },
  });
  fc.assert(fc.property(parts, (parts) => {
    const memory = longQueue();
    const [one, other] = [new ReadQueue(memory), new ReadQueue(memory)];
    assert(added(one, ...parts));
    assert.equal(one.pending, parts.length);
    let offsetBytes = 0;
    let finished: FinishedRead | undefined;
    for (const pieces of parts) {
      assert.equal(finished, undefined, "before the last part there is no answer");
      const part = other.take();
      assert(part !== undefined);
      assert.deepEqual(part.pieces, structuredClone(pieces.map(asCopied)));
      assert.equal(part.offsetBytes, offsetBytes);
      assert.equal(part.target.sizeBytes, 4 << 20);
      for (const of of pieces) offsetBytes += sizeOf(of);
      finished = other.finish(part, 0);
      if (finished !== undefined) other.release(part);
    }
    assert.equal(finished?.request, REQUEST);
    assert.deepEqual([finished?.errno, finished?.sizeBytes], [0, offsetBytes]);
    const fds = new Set(parts.flat().flatMap((of) => "fd" in of ? [copyOf(of.fd)] : []));
    assert.deepEqual(new Set(finished?.fds), fds);
    assert.equal(one.pending, 0);
  }));
});

Deno.test("whoever ends last answers, with what failed first, and then the memory is free [FR-427]", () => {
  const memory = shortQueue();
  const [dispatcher, one, other] = [1, 2, 3].map(() => new ReadQueue(memory)) as [
    ...[ReadQueue, ReadQueue, ReadQueue],
  ];
  assert(added(dispatcher, [zeros], [zeros], [zeros]));
  const [a, b, c] = [one.take()!, other.take()!, one.take()!];
  a.target.bytes[0] = 77;
  assert.equal(b.target.bytes[0], 77, "the parts fill one answer");
  assert.equal(other.finish(b, ERRNO.EIO), undefined);
  assert.equal(one.finish(c, ERRNO.ENOSPC), undefined);
  assert.equal(one.finish(a, 0)?.errno, ERRNO.EIO);
  assert.equal(dispatcher.pending, 1, "until it is answered");
  one.release(a);
  assert.equal(dispatcher.pending, 0);
  assert(added(dispatcher, [zeros]));
  const next = other.take()!;
  assert.equal(next.job, a.job);
  assert.equal(other.finish(next, 0)?.errno, 0, "an earlier read's failure is not told again");
});

Deno.test("reads that do not fit, and those of a full queue, are left to who asks [FR-427]", () => {
  const queue = new ReadQueue(shortQueue());
  const memory: Piece = { in: "memory", bytes: new Uint8Array(1) };
  assert(!added(queue, [zeros, memory]));
  assert(!added(queue, Array(131).fill(zeros)));
  assert(!added(queue, [{ in: "zeros", sizeBytes: 4096 }], [zeros]));
  for (let part = 0; part < 60; part += 6) assert(added(queue, ...Array(6).fill([zeros])));
  assert(!added(queue, ...Array(5).fill([zeros])), "64 parts");
  assert(added(queue, ...Array(4).fill([zeros])));
  assert(!added(queue, [zeros]));
  queue.take();
  assert(added(queue, [zeros]), "a slot is free as soon as its part was taken");
});

Deno.test("there is memory for sixteen answers at a time [FR-427]", () => {
  const queue = new ReadQueue(shortQueue());
  for (let read = 0; read < 16; read++) assert(added(queue, [zeros]));
  assert(!added(queue, [zeros]));
  const part = queue.take()!;
  assert(!added(queue, [zeros]));
  queue.finish(part, 0);
  assert(!added(queue, [zeros]), "it is still to be answered");
  queue.release(part);
  assert(added(queue, [zeros]));
});

Deno.test("a closed queue lets its workers end [FR-427]", () => {
  const queue = new ReadQueue(shortQueue());
  queue.close();
  assert.equal(queue.take(), undefined);
});
