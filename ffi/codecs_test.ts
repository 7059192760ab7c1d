import assert from "node:assert/strict";
import fc from "fast-check";
import { deflate } from "pako";
import {
  type SystemDecoder,
  systemDeflate,
  systemLz4,
  systemZlib,
  systemZstd,
  Z_STREAM,
  Z_STREAM_SIZE_BYTES,
} from "./codecs.ts";
import { addressOf } from "./memory.ts";
import { testUnless } from "../tests/support/skip.ts";

const PROBE = `
#include <stddef.h>
#include <stdio.h>
#include <zlib.h>
int main(void) {
  printf("%zu %zu %zu %zu %zu", sizeof(z_stream), offsetof(z_stream, next_in),
    offsetof(z_stream, avail_in), offsetof(z_stream, next_out), offsetof(z_stream, avail_out));
}
`;

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const canProbe = await isThere("/usr/bin/cc") && await isThere("/usr/include/zlib.h");

testUnless(
  canProbe ? undefined : "there is no cc, or no zlib.h",
  "z_stream has the layout of zlib.h [FR-120]",
  async () => {
    const dir = await Deno.makeTempDir({ prefix: "pbkfs-probe-" });
    try {
      await Deno.writeTextFile(`${dir}/probe.c`, PROBE);
      const args = ["-o", `${dir}/probe`, `${dir}/probe.c`];
      const compiled = await new Deno.Command("cc", { args }).output();
      assert(compiled.success, new TextDecoder().decode(compiled.stderr));
      const { stdout } = await new Deno.Command(`${dir}/probe`).output();
      const told = new TextDecoder().decode(stdout).split(" ").map(Number);
      assert.deepEqual(told, [
        Z_STREAM_SIZE_BYTES,
        Z_STREAM.nextIn.at,
        Z_STREAM.availIn.at,
        Z_STREAM.nextOut.at,
        Z_STREAM.availOut.at,
      ]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

/** `abcabcabc…`, 64 bytes of it, as each library stores it. */
const TEXT = new Uint8Array(64).map((_, index) => 0x61 + index % 3);
const LZ4_BLOCK = Uint8Array.of(0x3f, 0x61, 0x62, 0x63, 3, 0, 37, 0x50, ...TEXT.subarray(59));
const ZSTD_FRAME = Uint8Array.of(
  ...[0x28, 0xb5, 0x2f, 0xfd, 0x20, 64], // magic, single segment, size
  ...[(64 << 3 | 1) & 0xff, (64 << 3) >> 8, 0], // last block, raw
  ...TEXT,
);
const cases: [string, SystemDecoder | undefined, Uint8Array<ArrayBuffer>][] = [
  ["libdeflate", systemDeflate(), new Uint8Array(deflate(TEXT))],
  ["libz", systemZlib(), new Uint8Array(deflate(TEXT))],
  ["liblz4", systemLz4(), LZ4_BLOCK],
  ["libzstd", systemZstd(), ZSTD_FRAME],
];

for (const [name, decoder, packed] of cases) {
  testUnless(
    decoder === undefined ? `there is no ${name}` : undefined,
    `${name} decodes what fits exactly, and nothing else [FR-120]`,
    () => {
      const decode = (source: Uint8Array<ArrayBuffer>, sizeBytes: number) => {
        const target = new Uint8Array(sizeBytes);
        return decoder!.decode(spanOf(source), spanOf(target)) ? target : undefined;
      };
      assert.deepEqual(decode(packed, 64), TEXT);
      assert.equal(decode(packed, 63), undefined);
      assert.equal(decode(packed, 65), undefined);
      assert.equal(decode(packed.slice(0, -6), 64), undefined);
      assert.equal(decode(packed.slice().fill(0xee, 2, 8), 64), undefined);
      // A failure leaves nothing behind that the next page would notice.
      assert.deepEqual(decode(packed, 64), TEXT);
    },
  );
}

testUnless(
  systemDeflate() === undefined || systemZlib() === undefined
    ? "libdeflate and libz are needed"
    : undefined,
  "libdeflate and libz agree, also on what they refuse [FR-120]",
  () => {
    const [one, two] = [systemDeflate()!, systemZlib()!];
    const decode = (decoder: SystemDecoder, source: Uint8Array<ArrayBuffer>) => {
      const target = new Uint8Array(512);
      return decoder.decode(spanOf(source), spanOf(target)) ? target : undefined;
    };
    const page = fc.uint8Array({ minLength: 512, maxLength: 512 });
    const damage = fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 3 });
    fc.assert(fc.property(page, damage, fc.integer({ min: 0, max: 9 }), (bytes, hits, level) => {
      const packed = new Uint8Array(deflate(bytes, { level: level as 0 }));
      for (const [at, value] of hits) if (at < packed.length) packed[at] = value;
      assert.deepEqual(decode(one, packed), decode(two, packed));
    }));
  },
);

/** A whole array. Who calls keeps it reachable. */
function spanOf(bytes: Uint8Array<ArrayBuffer>): Parameters<SystemDecoder["decode"]>[0] {
  return { address: addressOf(bytes), sizeBytes: bytes.length };
}
