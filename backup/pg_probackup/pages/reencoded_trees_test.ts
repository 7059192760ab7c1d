import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ByteString } from "../../../ffi/bytes.ts";
import { unpackFixture } from "../../../tests/support/fixtures.ts";
import { reencode } from "../../../testing/backup/reencode.ts";
import type { Codec, EntryIndex } from "../../tree/base_tree.ts";
import { type Base, loadCodecs, openChain, readFile, resolveChain } from "../../mod.ts";

function hashes(base: Base): Record<string, string> {
  const found: Record<string, string> = {};
  base.entries.forEach(({ path, kind }, index) => {
    if (kind !== "file") return;
    const bytes = readFile(base, index as EntryIndex);
    found[path] = createHash("sha256").update(bytes).digest("hex");
  });
  return found;
}

const CHAINS: readonly (readonly Codec[])[] = [
  ["lz4", "zstd", "zlib", "pglz"],
  ["zstd", "none", "lz4", "lz4"],
];

for (const codecs of CHAINS) {
  Deno.test(`a chain stored with ${codecs.join(", ")} is the same tree [FR-124]`, async () => {
    await using fixture = await unpackFixture("zlib-chain");
    const { catalogPath } = fixture;
    const layout = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };
    const spec = await resolveChain({ catalogPath, useProbackup: false });
    const original = await openChain(spec, { layout, codecs: await loadCodecs() });
    const expected = hashes(original);
    original.close();
    assert.equal(spec.members.length, codecs.length);
    for (const [member, codec] of codecs.entries()) {
      await reencode(spec.members[member]!.dirPath, codec);
    }
    for (const system of [true, false]) {
      const rewritten = await resolveChain({ catalogPath, useProbackup: false });
      assert.deepEqual(rewritten.members.map(({ compressAlg }) => compressAlg), codecs);
      const base = await openChain(rewritten, { layout, codecs: await loadCodecs({ system }) });
      assert.deepEqual(hashes(base), expected);
      assert(base.counters.recordsDecoded > 1000);
      base.close();
    }
  });
}
