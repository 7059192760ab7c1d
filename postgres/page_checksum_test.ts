import assert from "node:assert/strict";
import { checkPage, firstBlockOf, pageChecksum } from "./page_checksum.ts";

Deno.test("a page is right with its checksum at its block, new as zeros, else wrong [FR-874]", () => {
  const page = new Uint8Array(8192);
  assert.equal(checkPage(page, 7), "new");
  page[100] = 1;
  assert.equal(checkPage(page, 7), "wrong", "it has no header, but it is not new");
  const view = new DataView(page.buffer);
  view.setUint16(14, 8000, true);
  view.setUint16(8, pageChecksum(page, 7), true);
  assert.equal(checkPage(page, 7), "right");
  assert.equal(checkPage(page, 8), "wrong", "it belongs elsewhere");
  for (const at of [0, 10, 100, 8191]) {
    assert.equal(checkPage(page.with(at, page[at]! ^ 128), 7), "wrong", `bit of byte ${at}`);
  }
});

Deno.test("blocks are counted from the beginning of a relation's fork [FR-874]", () => {
  const expected: Readonly<Record<string, number | undefined>> = {
    "base/5/16384": 0,
    "base/5/16384.2": 262_144,
    "base/5/16384_vm": 0,
    "global/1262": 0,
    "pbkfs_tablespaces/16400/PG_15_202209061/5/16384.1": 131_072,
    "base/5/t3_16384": undefined,
    "base/5/pg_filenode.map": undefined,
    "global/pg_control": undefined,
    "pg_xact/0000": undefined,
    "16384": undefined,
  };
  for (const [path, block] of Object.entries(expected)) {
    assert.equal(firstBlockOf(path), block, path);
  }
});
