import assert from "node:assert/strict";
import fc from "fast-check";
import type { Codec, Piece } from "../backup/mod.ts";
import type { ByteString } from "../ffi/bytes.ts";
import type { Fd } from "../ffi/libc.ts";
import type { Request } from "../fuse/mod.ts";
import { ReadQueue, readQueueMemory } from "./read_queue.ts";

const BACKUPS = ["AAA", "BBB"];
const path = "base/5/\xff\x01" as ByteString;
const fd = fc.integer({ min: 0, max: 9 }).map((number) => number as Fd);
const range = fc.record({ offsetBytes: fc.nat(2 ** 40), sizeBytes: fc.nat(1 << 20) });
const of = fc.record(
  { path: fc.constant(path), backupId: fc.constantFrom(...BACKUPS), block: fc.nat(131_071) },
);
const codec = fc.constantFrom<Codec>("none", "zlib", "pglz", "lz4", "zstd");
const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ in: fc.constant("zeros" as const), sizeBytes: fc.nat(1 << 20) }),
  fc.record({ in: fc.constant("file" as const), fd, range }),
  fc.record({ in: fc.constant("file" as const), fd, range, of }),
  fc.record({ in: fc.constant("record" as const), fd, range, codec, wanted: range, of }),
);

const copyOf = (original: Fd) => (original + 100) as Fd;
const asCopied = (of: Piece): Piece => "fd" in of ? { ...of, fd: copyOf(of.fd) } : of;

Deno.test("FR-427 a read comes out of the queue as it went in, with descriptors of its own", () => {
  fc.assert(fc.property(fc.array(piece, { minLength: 1, maxLength: 130 }), (pieces) => {
    const memory = readQueueMemory(BACKUPS);
    const [one, other] = [new ReadQueue(memory), new ReadQueue(memory)];
    const request = 0x7fff_1234_5678;
    assert(one.add(request as Request, pieces, copyOf));
    assert.equal(one.pending, 1);
    const read = other.take();
    assert.equal(read?.request, request);
    assert.deepEqual(read?.pieces, structuredClone(pieces.map(asCopied)));
    const fds = new Set(pieces.flatMap((of) => "fd" in of ? [copyOf(of.fd)] : []));
    assert.deepEqual(new Set(read?.fds), fds);
    other.done();
    assert.equal(one.pending, 0);
  }));
});

Deno.test("FR-427 reads that do not fit, and those of a full queue, are left to who asks", () => {
  const queue = new ReadQueue(readQueueMemory(BACKUPS));
  const zeros: Piece = { in: "zeros", sizeBytes: 1 };
  const memory: Piece = { in: "memory", bytes: new Uint8Array(1) };
  const add = (pieces: readonly Piece[]) => queue.add(1 as Request, pieces, copyOf);
  assert(!add([zeros, memory]));
  assert(!add(Array(131).fill(zeros)));
  for (let slot = 0; slot < 64; slot++) assert(add([zeros]));
  assert(!add([zeros]));
  queue.take();
  assert(add([zeros]), "a slot is free as soon as its read was taken");
});

Deno.test("FR-427 a closed queue lets its workers end", () => {
  const queue = new ReadQueue(readQueueMemory(BACKUPS));
  queue.close();
  assert.equal(queue.take(), undefined);
});
