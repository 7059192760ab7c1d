import assert from "node:assert/strict";
import fc from "fast-check";
import { allocate } from "../../ffi/memory.ts";
import type { Codec } from "./base_tree.ts";
import { encodePage } from "../../testing/backup/encode_page.ts";
import { encodePglz } from "../../testing/backup/pglz_encoder.ts";
import { type Codecs, loadCodecs } from "./codecs.ts";
import { isLz4BlockOf } from "./lz4_block.ts";
import { decodePglz } from "./pglz.ts";
import { isZstdFrameOf } from "./zstd_frame.ts";

const BLOCK = 8192;
const COMPRESSED: readonly Codec[] = ["zlib", "pglz", "lz4", "zstd"];
const system = await loadCodecs();
const portable = await loadCodecs({ system: false });

/** Decodes in the middle of larger memory, so that a write outside would be seen. */
function decode(codecs: Codecs, codec: Codec, payload: Uint8Array): Uint8Array | undefined {
  const source = allocate(payload.length + 200);
  source.bytes.fill(0xee).set(payload, 100);
  const target = allocate(BLOCK + 200);
  target.bytes.fill(0xdd);
  const isSound = codecs.decode({
    codec,
    source,
    sourceOffsetBytes: 100,
    sourceSizeBytes: payload.length,
    target,
    targetOffsetBytes: 100,
    targetSizeBytes: BLOCK,
  });
  const outside = [...target.bytes.subarray(0, 100), ...target.bytes.subarray(100 + BLOCK)];
  assert(outside.every((byte) => byte === 0xdd), "wrote outside the target");
  return isSound ? target.bytes.slice(100, 100 + BLOCK) : undefined;
}

/** Pages as they are: runs, text that repeats, and noise. */
const pages = fc.array(
  fc.oneof(
    fc.record({ byte: fc.nat(255), count: fc.integer({ min: 1, max: 2000 }) })
      .map(({ byte, count }) => new Uint8Array(count).fill(byte)),
    fc.record({
      text: fc.uint8Array({ minLength: 1, maxLength: 40 }),
      count: fc.integer({ min: 1, max: 50 }),
    }).map(({ text, count }) =>
      new Uint8Array(text.length * count).map((_, at) => text[at % text.length]!)
    ),
    fc.uint8Array({ minLength: 1, maxLength: 600 }),
  ),
  { minLength: 1, maxLength: 12 },
).map((parts) => {
  const page = new Uint8Array(BLOCK);
  let at = 0;
  for (const part of parts) {
    page.set(part.subarray(0, BLOCK - at), at);
    at += Math.min(part.length, BLOCK - at);
  }
  return page;
});

for (const codec of COMPRESSED) {
  Deno.test(`${codec}: libraries and built-in decoders give the page back [FR-121]`, () => {
    fc.assert(
      fc.property(pages, (page) => {
        const payload = encodePage(codec, page);
        if (payload === page) return;
        assert.deepEqual(decode(system, codec, payload), page);
        assert.deepEqual(decode(portable, codec, payload), page);
      }),
      { numRuns: 60 },
    );
  });

  Deno.test(`${codec}: damaged payloads give the same, or nothing, with all decoders [FR-122]`, () => {
    const damage = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 3 });
    const cut = fc.option(fc.nat(), { nil: undefined });
    fc.assert(
      fc.property(pages, damage, cut, (page, changes, cut) => {
        let payload = encodePage(codec, page).slice();
        for (const { at, byte } of changes) payload[at % payload.length] = byte;
        if (cut !== undefined) payload = payload.subarray(0, cut % payload.length);
        const [one, other] = [decode(system, codec, payload), decode(portable, codec, payload)];
        // These have no checksum, and libraries differ in which nonsense they notice: liblz4, for
        // one, does not look whether a distance is zero.
        const mayDiffer = codec === "lz4" || codec === "zstd";
        const doDiffer = (one === undefined) !== (other === undefined);
        if (mayDiffer && doDiffer) return;
        // libdeflate does not mind a damaged code that no byte of the page needs, where zlib does.
        // The stream's checksum then tells that this is the page.
        if (codec === "zlib" && doDiffer) assert.deepEqual(one ?? other, page);
        else assert.deepEqual(one, other);
      }),
      { numRuns: 300 },
    );
  });

  Deno.test(`${codec}: noise, no bytes, and pages of another length are refused [FR-122]`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (payload) => {
        assert.equal(decode(system, codec, payload), undefined);
        assert.equal(decode(portable, codec, payload), undefined);
      }),
      { numRuns: 100 },
    );
    for (const length of [BLOCK - 1, BLOCK + 1, 2 * BLOCK]) {
      const payload = encodePage(codec, new Uint8Array(length).fill(9));
      assert.equal(decode(system, codec, payload), undefined, `${length}`);
      assert.equal(decode(portable, codec, payload), undefined, `${length}`);
    }
  });
}

Deno.test("without libraries everything is built in [FR-121]", () => {
  assert.deepEqual(Object.values(portable.origins), Array(5).fill("built in"));
  assert.match(system.origins.zlib, /libdeflate|libz|built in/);
});

Deno.test("pglz: what PostgreSQL writes, and its rules for the end [FR-123]", () => {
  const expand = (source: number[], length: number) => {
    const target = new Uint8Array(length);
    return decodePglz(Uint8Array.from(source), target) ? [...target] : undefined;
  };
  // "ab", then 4 bytes from 2 back: a copy that overlaps itself.
  assert.deepEqual(expand([0b100, 97, 98, 0x01, 2], 6), [97, 98, 97, 98, 97, 98]);
  // Length 18 and more takes a third byte.
  assert.deepEqual(expand([0b10, 7, 0x0f, 1, 3], 22), Array(22).fill(7));
  // A reference that says more than there is room for is cut.
  assert.deepEqual(expand([0b10, 7, 0x0f, 1, 3], 20), Array(20).fill(7));
  assert.equal(expand([0b10, 7, 0x0f, 1, 3], 23), undefined, "too little");
  assert.equal(expand([0, 7, 8], 1), undefined, "input left over");
  assert.equal(expand([0b10, 7, 0x00, 0], 4), undefined, "distance zero");
  assert.equal(expand([0b10, 7, 0x00, 2], 4), undefined, "distance before the beginning");
  assert.equal(expand([0b10, 7, 0x0f, 1], 22), undefined, "third byte missing");
  assert.equal(expand([0b10, 7, 0x00], 4), undefined, "second byte missing");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
    const target = new Uint8Array(bytes.length);
    assert(decodePglz(encodePglz(bytes), target));
    assert.deepEqual(target, bytes);
  }));
});

Deno.test("lz4: a block of literals only, and the rules for its end [FR-123]", () => {
  const target = new Uint8Array(16);
  const literals = (count: number) => Uint8Array.of(0xf0, count - 15, ...Array(count).fill(5));
  assert(isLz4BlockOf(literals(16), target.length));
  assert(!isLz4BlockOf(literals(17), target.length));
  assert(!isLz4BlockOf(literals(15), target.length));
  assert(!isLz4BlockOf(Uint8Array.of(0xf0, 255, 255), target.length));
  assert(
    !isLz4BlockOf(Uint8Array.of(0x1b, 5, 0, 0, 0, 0, 0, 0, 0), target.length),
    "distance zero",
  );
});

Deno.test("zstd: a frame that claims another size is not given to any library [FR-123]", () => {
  const head = (...bytes: number[]) => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, ...bytes);
  const claims = (frame: Uint8Array) => isZstdFrameOf(frame, BLOCK);
  assert(claims(head(0x60, 0x00, 0x1f)), "two bytes, 256 less");
  assert(claims(head(0xa0, 0x00, 0x20, 0, 0)), "four bytes");
  assert(claims(head(0xe0, 0x00, 0x20, 0, 0, 0, 0, 0, 0)), "eight bytes");
  assert(claims(head(0x00, 0x58, 1)), "not told");
  assert(!claims(head(0x60, 0x01, 0x1f)));
  assert(!claims(head(0x20, 64, 0)));
  assert(!claims(head(0xe0, 0, 0x20, 0, 0, 0, 0, 0, 0x80)));
  assert(!claims(head(0xe0, 0, 0x20)), "cut off");
  assert(!claims(Uint8Array.of(1, 2, 3, 4, 5, 6, 7)), "no magic");
});
