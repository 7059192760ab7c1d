import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { type ByteRange, type Fd, type Libc, OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { CODECS, type Piece, RECORD_BYTES_MAX, type StoreOrigin } from "./base_tree.ts";
import { loadCodecs } from "./codecs.ts";
import { newStoreCounters } from "./store_counters.ts";
import { encodePage } from "../../testing/backup/encode_page.ts";
import { handPage, handStream } from "../../testing/backup/hand_store.ts";
import { PieceReader } from "./piece_reader.ts";

type RecordPiece = Extract<Piece, { in: "record" }>;

const BLOCK = 8192;
const OF: StoreOrigin = { path: "base/1" as ByteString, backupId: "QX1", block: 7 };
const RECORD = { in: "record", decodedSizeBytes: BLOCK } as const;
const libc = systemLibc();
const codecs = await loadCodecs();

/** A file with these bytes, open for reading until the end of the scope. */
async function withFile(bytes: Uint8Array, use: (fd: Fd) => void): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "pbkfs-pieces-" });
  try {
    await Deno.writeFile(path, bytes);
    const fd = libc.open(byteStringOf(path), OPEN.readOnly);
    try {
      use(fd);
    } finally {
      libc.close(fd);
    }
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("pieces of all kinds, one after another [FR-140]", async () => {
  const page = handPage(3);
  const payload = encodePage("zlib", page);
  const stored = Uint8Array.of(...payload, 1, 2, 3, 4);
  await withFile(stored, (fd) => {
    const record = { ...RECORD, fd, codec: "zlib", of: OF } as const;
    const range = { offsetBytes: 0, sizeBytes: payload.length };
    const pieces: Piece[] = [
      { in: "memory", bytes: Uint8Array.of(9, 8) },
      { in: "zeros", sizeBytes: 3 },
      { in: "file", fd, range: { offsetBytes: payload.length + 1, sizeBytes: 2 } },
      { ...record, range, wanted: { offsetBytes: 20, sizeBytes: 10 } },
      { ...record, range, wanted: { offsetBytes: 0, sizeBytes: BLOCK } },
    ];
    const target = allocate(5 + 2 + 3 + 2 + 10 + BLOCK);
    target.bytes.fill(0xee);
    const counters = newStoreCounters();
    const reader = new PieceReader({ libc, codecs, counters });
    assert.equal(reader.read(pieces, target, 5), target.sizeBytes - 5);
    assert.deepEqual([...target.bytes.subarray(0, 12)], [
      ...Array(5).fill(0xee),
      ...[9, 8, 0, 0, 0, 2, 3],
    ]);
    assert.deepEqual(target.bytes.subarray(12, 22), page.subarray(20, 30));
    assert.deepEqual(target.bytes.subarray(22), page);
    assert.equal(counters.recordsDecoded, 2);
  });
});

Deno.test("past the end of a file of the diff there are zeros, of the store damage [FR-140]", async () => {
  await withFile(Uint8Array.of(1, 2, 3), (fd) => {
    const reader = new PieceReader({ libc, codecs });
    const target = allocate(10);
    target.bytes.fill(0xee);
    const piece = { in: "file", fd, range: { offsetBytes: 1, sizeBytes: 6 } } as const;
    assert.equal(reader.read([piece], target, 1), 6);
    assert.deepEqual([...target.bytes], [0xee, 2, 3, 0, 0, 0, 0, 0xee, 0xee, 0xee]);
    assert.throws(() => reader.read([{ ...piece, of: OF }], target), (error) => {
      assert(error instanceof PbkfsError);
      assert.equal(error.code, "StoreDamaged");
      assert.match(error.message, /block 7 of "base\/1": in backup QX1 its stored file ends at 3/);
      return true;
    });
  });
});

Deno.test("pages stored as they are, side by side, are few reads, and as many as there are [FR-140]", async () => {
  const pages = Array.from({ length: 300 }, (_, block) => handPage(block));
  const header = 8;
  const stored = new Uint8Array(pages.length * (header + BLOCK));
  const places = pages.map((page, block) => {
    const offsetBytes = block * (header + BLOCK) + header;
    stored.set(page, offsetBytes);
    return { offsetBytes, sizeBytes: BLOCK };
  });
  const plan = (fd: Fd): Piece[] =>
    places.map((range, block) => ({ in: "file", fd, range, of: { ...OF, block } }));
  const target = allocate(pages.length * BLOCK + 1);
  await withFile(stored, (fd) => {
    const counters = newStoreCounters();
    const reader = new PieceReader({ libc, codecs, counters });
    assert.equal(reader.read(plan(fd), target, 1), pages.length * BLOCK);
    pages.forEach((page, block) => {
      const at = 1 + block * BLOCK;
      assert(Buffer.compare(target.bytes.subarray(at, at + BLOCK), page) === 0, `block ${block}`);
    });
    assert.equal(counters.storeReads, 3);
    // Not those that are further apart, nor those that go back.
    const some = plan(fd).filter((_, block) => block % 2 === 0).slice(0, 4).reverse();
    assert.equal(reader.read(some, target), 4 * BLOCK);
    assert(Buffer.compare(target.bytes.subarray(0, BLOCK), pages[6]!) === 0);
    assert.equal(counters.storeReads, 7);
  });
  await withFile(stored.subarray(0, 200 * (header + BLOCK) - 5), (fd) => {
    const reader = new PieceReader({ libc, codecs });
    assert.equal(reader.read(plan(fd).slice(0, 199), target), 199 * BLOCK);
    assert(Buffer.compare(target.bytes.subarray(198 * BLOCK, 199 * BLOCK), pages[198]!) === 0);
    assert.throws(() => reader.read(plan(fd), target), /block 199 of .*in the middle of it/);
  });
});

Deno.test("where the cache has a part of the pages, those that it lacks are told by EAGAIN [FR-140]", async () => {
  const range = (block: number) => ({ offsetBytes: block * BLOCK, sizeBytes: BLOCK });
  await withFile(new Uint8Array(4 * BLOCK).fill(7), (fd) => {
    const plan = [0, 1, 2, 3].map((block): Piece => ({
      ...{ in: "file", fd, range: range(block), of: OF },
    }));
    // As if the last page were not in memory.
    const limit = 3 * BLOCK;
    const lacking = () => {
      throw new PbkfsError("Io", { what: "not in memory", errno: ERRNO.EAGAIN });
    };
    const cached: Libc = {
      ...libc,
      pread: (fd, target, wanted) =>
        wanted.offsetBytes >= limit ? lacking() : libc.pread(fd, target, wanted),
      preadv: (fd, targets, at) =>
        at >= limit ? lacking() : Math.min(limit - at, libc.preadv(fd, targets, at)),
    };
    const target = allocate(4 * BLOCK);
    const reader = new PieceReader({ libc: cached, codecs });
    assert.throws(() => reader.read(plan, target), { errno: ERRNO.EAGAIN });
    assert.equal(reader.read(plan.slice(0, 3), target), 3 * BLOCK);
  });
});

for (const padded of [true, false]) {
  Deno.test(`records side by side are one read${padded ? ", padded or not" : ""} [FR-140]`, async () => {
    const pages = Array.from({ length: 40 }, (_, block) => handPage(block));
    const records = pages.map((page, block) => ({ block, payload: encodePage("lz4", page) }));
    const { stored, positions } = handStream(records, { padded });
    await withFile(stored, (fd) => {
      const counters = newStoreCounters();
      const reader = new PieceReader({ libc, codecs, counters });
      const pieces: Piece[] = records.map(({ block, payload }) => ({
        ...RECORD,
        fd,
        codec: "lz4",
        range: { offsetBytes: positions[block]! + 8, sizeBytes: payload.length },
        wanted: { offsetBytes: 0, sizeBytes: BLOCK },
        of: { ...OF, block },
      }));
      const target = allocate(40 * BLOCK);
      assert.equal(reader.read(pieces, target), 40 * BLOCK);
      pages.forEach((page, block) =>
        assert.deepEqual(target.bytes.subarray(block * BLOCK, (block + 1) * BLOCK), page)
      );
      assert.equal(counters.storeReads, 1);
      assert.equal(counters.recordsDecoded, 40);
      // Every second one: they are too far apart to read what lies between.
      const before = counters.storeReads;
      reader.read(pieces.filter((_, block) => block % 2 === 0), target);
      assert.equal(counters.storeReads - before, 20);
    });
  });
}

Deno.test("long runs of records take several reads of bounded size [FR-140]", async () => {
  const payload = new Uint8Array(8000).fill(5);
  const records = Array.from({ length: 60 }, (_, block) => ({ block, payload }));
  const { stored, positions } = handStream(records, { padded: false });
  await withFile(stored, (fd) => {
    const counters = newStoreCounters();
    // Stands in for a codec that hardly compresses.
    const fake = { origins: codecs.origins, decode: () => true };
    const reader = new PieceReader({ libc, codecs: fake, counters });
    const pieces = records.map(({ block }): Piece => ({
      ...RECORD,
      fd,
      codec: "zlib",
      range: { offsetBytes: positions[block]! + 8, sizeBytes: payload.length },
      wanted: { offsetBytes: 0, sizeBytes: BLOCK },
      of: OF,
    }));
    assert.equal(reader.read(pieces, allocate(60 * BLOCK)), 60 * BLOCK);
    assert.equal(counters.storeReads, 2);
  });
});

Deno.test("a target that is too small is not written beyond [FR-140]", () => {
  const reader = new PieceReader({ libc, codecs });
  const target = allocate(4);
  assert.throws(() => reader.read([{ in: "zeros", sizeBytes: 5 }], target), RangeError);
  assert.throws(() => reader.read([{ in: "zeros", sizeBytes: 2 }], target, 3), RangeError);
});

/** Units of other lengths than a page's, in every codec, one after another in a file. */
const UNIT_BYTES = [1, 100, BLOCK - 1, BLOCK + 1, 64 * 1024, 300 * 1024];
const units = CODECS.flatMap((codec) =>
  UNIT_BYTES.map((sizeBytes) => {
    const decoded = new Uint8Array(sizeBytes).map((_, at) => (at >> 5) * 31 + (at % 7));
    const payload = codec === "none" ? decoded : encodePage(codec, decoded);
    // What does not shrink is stored as it is.
    return { codec: payload === decoded ? "none" as const : codec, decoded, payload };
  })
);

function withUnits(use: (plan: (unit: number, wanted: ByteRange) => RecordPiece) => void) {
  const stored = Buffer.concat(units.map(({ payload }) => payload));
  return withFile(new Uint8Array(stored), (fd) => {
    let end = 0;
    const places = units.map(({ codec, decoded, payload }, block) => {
      end += payload.length;
      const range = { offsetBytes: end - payload.length, sizeBytes: payload.length };
      return {
        ...RECORD,
        fd,
        range,
        codec,
        decodedSizeBytes: decoded.length,
        of: { ...OF, block },
      };
    });
    use((unit, wanted) => ({ ...places[unit]!, wanted }));
  });
}

const parts = fc.array(
  fc.record({ unit: fc.nat(units.length - 1), from: fc.double({ min: 0, max: 1, noNaN: true }) })
    .chain(({ unit, from }) => {
      const { length } = units[unit]!.decoded;
      const offsetBytes = Math.floor(from * length);
      return fc.integer({ min: 0, max: length - offsetBytes })
        .map((sizeBytes) => ({ unit, wanted: { offsetBytes, sizeBytes } }));
    }),
  { minLength: 1, maxLength: 8 },
);

for (const isSystem of [true, false]) {
  const whose = isSystem ? "the system's libraries" : "what comes with pbkfs";
  Deno.test(`records of any length are read, whole and in part, with ${whose} [FR-991]`, async () => {
    const codecs = await loadCodecs({ system: isSystem });
    await withUnits((plan) => {
      const reader = new PieceReader({ libc, codecs });
      const whole = units.map(({ decoded }, unit) =>
        plan(unit, { offsetBytes: 0, sizeBytes: decoded.length })
      );
      const all = Buffer.concat(units.map(({ decoded }) => decoded));
      const target = allocate(all.length);
      assert.equal(reader.read(whole, target), all.length);
      assert(Buffer.compare(target.bytes, all) === 0);
      fc.assert(fc.property(parts, (parts) => {
        const expected = Buffer.concat(parts.map(({ unit, wanted }) => {
          const { offsetBytes, sizeBytes } = wanted;
          return units[unit]!.decoded.subarray(offsetBytes, offsetBytes + sizeBytes);
        }));
        const target = allocate(expected.length + 1);
        target.bytes[expected.length] = 0xee;
        const pieces = parts.map(({ unit, wanted }) => plan(unit, wanted));
        assert.equal(reader.read(pieces, target), expected.length);
        assert(Buffer.compare(target.bytes.subarray(0, -1), expected) === 0);
        assert.equal(target.bytes[expected.length], 0xee);
      }));
    });
  });
}

Deno.test("a record that gives other than it should is damaged, whole and in part [FR-991]", async () => {
  await withUnits((plan) => {
    const reader = new PieceReader({ libc, codecs });
    const target = allocate(512 * 1024);
    for (const [unit, { codec, decoded: { length } }] of units.entries()) {
      // What pglz gives is cut, as PostgreSQL does it.
      const others = codec === "pglz" ? [length + 1] : [length - 1, length + 1];
      for (const decodedSizeBytes of others) {
        for (const sizeBytes of [decodedSizeBytes, decodedSizeBytes - 1]) {
          if (sizeBytes < 0 || decodedSizeBytes === 0) continue;
          const piece = plan(unit, { offsetBytes: 0, sizeBytes });
          assert.throws(() => reader.read([{ ...piece, decodedSizeBytes }], target), {
            code: "StoreDamaged",
            message: decodedSizeBytes === BLOCK ? /is no page in/ : /does not give \d+ bytes in/,
          });
        }
      }
    }
    const piece = plan(0, { offsetBytes: 0, sizeBytes: 1 });
    const claims = { ...piece, decodedSizeBytes: RECORD_BYTES_MAX + 1 };
    assert.throws(() => reader.read([claims], target), /is said to hold 16777217 bytes/);
    const long = { ...piece, range: { offsetBytes: 0, sizeBytes: RECORD_BYTES_MAX + 1 } };
    assert.throws(() => reader.read([long], target), /its record has 16777217 bytes/);
    const beyond = plan(1, { offsetBytes: 99, sizeBytes: 2 });
    assert.throws(() => reader.read([beyond], target), RangeError);
  });
});
