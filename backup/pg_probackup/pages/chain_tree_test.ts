import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../ffi/bytes.ts";
import { allocate } from "../../../ffi/memory.ts";
import { unpackFixture } from "../../../tests/support/fixtures.ts";
import type { EntryIndex, Piece } from "../../tree/base_tree.ts";
import {
  loadCodecs,
  openChain,
  PieceReader,
  readFile,
  resolveChain,
  StoreAlarm,
} from "../../mod.ts";

Deno.test("a plan made of several keeps the descriptors of all, even with room for one [FR-134]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const codecs = await loadCodecs();
  const spec = await resolveChain({ catalogPath: fixture.catalogPath, useProbackup: false });
  const layout = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };
  const base = await openChain(spec, { layout, codecs, descriptorsMax: 1 });
  const reader = new PieceReader({ libc: base.libc, codecs });
  let severalMembers = 0;
  base.entries.forEach(({ isDataFile, path }, index) => {
    const entry = index as EntryIndex;
    const sizeBytes = base.sizeBytes(entry);
    if (!isDataFile || sizeBytes === 0) return;
    const pieces: Piece[] = [];
    for (let at = 0; at < sizeBytes; at += 8192) {
      const range = { offsetBytes: at, sizeBytes: 8192 };
      pieces.push(...base.planRead(entry, range, at === 0 ? "new" : "more"));
    }
    const fds = new Set(pieces.flatMap((piece) => "fd" in piece ? [piece.fd] : []));
    if (fds.size > 1) severalMembers++;
    const target = allocate(sizeBytes);
    assert.equal(reader.read(pieces, target), sizeBytes);
    assert(Buffer.compare(target.bytes, readFile(base, entry)) === 0, path);
  });
  assert(severalMembers > 5, `${severalMembers} files have pages in several members`);
  base.close();
});

Deno.test("while the alarm is on no read is planned, of any file, and names are told [FR-446]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const codecs = await loadCodecs();
  const spec = await resolveChain({ catalogPath: fixture.catalogPath, useProbackup: false });
  const layout = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };
  const alarm = new StoreAlarm();
  const base = await openChain(spec, { layout, codecs, alarm: new StoreAlarm(alarm.shared) });
  const files = ["postgresql.auto.conf", "PG_VERSION", "global/pg_control"]
    .map((path) => base.find(path as ByteString) as EntryIndex);
  const range = { offsetBytes: 0, sizeBytes: 1 };
  alarm.set("it was merged");
  for (const file of files) {
    assert.throws(() => base.planRead(file, range), { code: "StoreDamaged" });
    assert.throws(() => base.extent(file, 0), { code: "StoreDamaged" });
    assert(base.sizeBytes(file) > 0);
  }
  alarm.set(undefined);
  for (const file of files) assert.equal(base.planRead(file, range).length, 1);
  base.close();
});
