import assert from "node:assert/strict";
import fc from "fast-check";
import { databaseFile, loginTriggerDatabases } from "./login_triggers.ts";

/** A page of `pg_database` with one tuple. */
function pageOf(name: string, hasLoginEvent: number, infomask: number): Uint8Array {
  const page = new Uint8Array(8192);
  const view = new DataView(page.buffer);
  const [offset, length] = [8192 - 200, 200];
  view.setUint16(12, 28, true);
  view.setUint32(24, offset | (1 << 15) | (length << 17), true);
  view.setUint16(offset + 20, infomask, true);
  page[offset + 22] = 24;
  page.set(new TextEncoder().encode(name), offset + 24 + 4);
  page[offset + 24 + 79] = hasLoginEvent;
  return page;
}

Deno.test("tuples that are dead do not count, and those that may live do [FR-224]", () => {
  const [unknown, frozen, aborted, deleted] = [0x800, 0xb00, 0xa00, 0x500];
  assert.deepEqual(loginTriggerDatabases(pageOf("shop", 1, unknown)), ["shop"]);
  assert.deepEqual(loginTriggerDatabases(pageOf("shop", 1, frozen)), ["shop"]);
  assert.deepEqual(loginTriggerDatabases(pageOf("shop", 1, aborted)), []);
  assert.deepEqual(loginTriggerDatabases(pageOf("shop", 1, deleted)), []);
  assert.deepEqual(loginTriggerDatabases(pageOf("shop", 0, frozen)), []);
});

Deno.test("bytes that make no sense are survived [FR-224]", () => {
  const bytes = fc.uint8Array({ minLength: 8192, maxLength: 8192 });
  fc.assert(fc.property(bytes, (page) => {
    loginTriggerDatabases(page);
    assert.equal(databaseFile(page.subarray(0, page[0])), undefined);
  }));
});
