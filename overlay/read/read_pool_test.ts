import assert from "node:assert/strict";
import type { Codec, Piece, PieceReader } from "../../backup/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Fd, type Libc, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { ReadPool } from "./read_pool.ts";
import { ReadQueue, readQueueMemory } from "./read_queue.ts";

const PAGE = 8192;
const REQUEST = 1 as Request;
const of = { path: "base/5/1" as ByteString, backupId: "AAA", block: 0 };

function records(codec: Codec, count: number): Piece[] {
  return Array.from({ length: count }, (_, index): Piece => {
    const range = { offsetBytes: index * 1000, sizeBytes: 1000 };
    const wanted = { offsetBytes: 0, sizeBytes: PAGE };
    return { in: "record", fd: 5 as Fd, range, codec, decodedSizeBytes: PAGE, wanted, of };
  });
}

function pages(count: number): Piece[] {
  return Array.from({ length: count }, (_, index): Piece => {
    const range = { offsetBytes: index * PAGE, sizeBytes: PAGE };
    return { in: "file", fd: 5 as Fd, range, of };
  });
}

/** A pool whose readers only say who they are, and whose workers are looked at here. */
class Bench {
  readonly queue: ReadQueue;
  readonly pool: ReadPool;
  readonly done: string[] = [];
  isCached = true;
  readonly #target = allocate(1 << 20);

  constructor(count: number) {
    const memory = readQueueMemory({ backupIds: ["AAA"], readSizeBytesMax: 1 << 20 });
    this.queue = new ReadQueue(memory);
    const libc: Libc = { ...systemLibc(), dup: (fd) => (fd + 100) as Fd };
    const reader = (name: string, fails: () => boolean) => {
      const read = (pieces: readonly Piece[]) => {
        if (fails()) throw new PbkfsError("Io", { what: "The disk", errno: ERRNO.EAGAIN });
        this.done.push(name);
        return pieces.length;
      };
      return { read } as unknown as PieceReader;
    };
    this.pool = new ReadPool({
      workers: { queue: memory, count },
      libc,
      cached: reader("cached", () => !this.isCached),
      waiting: reader("waiting", () => false),
    });
  }

  /** @returns How many pieces each worker gets; none if the read is done at once. */
  partsOf(pieces: readonly Piece[]): number[] {
    const parts: number[] = [];
    if (this.pool.read(pieces, this.#target, REQUEST) !== "handedOver") return parts;
    while (this.queue.pending > 0) {
      const part = this.queue.take()!;
      parts.push(part.pieces.length);
      if (this.queue.finish(part, 0) !== undefined) this.queue.release(part);
    }
    return parts;
  }
}

Deno.test("a read with much to decode is divided between the workers that are idle [FR-428]", () => {
  for (const codec of ["zlib", "zstd", "pglz"] as const) {
    assert.deepEqual(new Bench(2).partsOf(records(codec, 128)), [64, 64], codec);
    assert.deepEqual(new Bench(4).partsOf(records(codec, 128)), [32, 32, 32, 32], codec);
  }
  assert.deepEqual(new Bench(8).partsOf([...pages(20), ...records("zlib", 32)]), [36, 16]);
});

Deno.test("a read with little to decode, or nothing, stays where it is [FR-428]", () => {
  const bench = new Bench(4);
  for (const pieces of [records("zlib", 16), records("lz4", 128), pages(128)]) {
    assert.deepEqual(bench.partsOf(pieces), []);
  }
  assert.deepEqual(bench.done, ["cached", "cached", "cached"]);
});

Deno.test("a read that the disk has to answer goes to one worker, in one piece [FR-428]", () => {
  const bench = new Bench(4);
  bench.isCached = false;
  assert.deepEqual(bench.partsOf(pages(128)), [128]);
  assert.deepEqual(bench.partsOf(records("zlib", 1)), [1]);
  assert.deepEqual(bench.done, []);
});

Deno.test("when all workers are busy, a read is done where it is [FR-428]", () => {
  const bench = new Bench(2);
  const read = () => bench.pool.read(records("zlib", 128), allocate(1 << 20), REQUEST);
  assert.equal(read(), "handedOver");
  assert.equal(read(), 128);
  assert.deepEqual(bench.done, ["cached"]);
});
