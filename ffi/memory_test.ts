import assert from "node:assert/strict";
import { allocate, borrowBuffer } from "./memory.ts";

Deno.test("memory for pages begins where a page of the kernel's does, and is all there [FR-821]", () => {
  for (const sizeBytes of [4096, 8192, 10_000, 1 << 20]) {
    const { bytes, view, address } = allocate(sizeBytes);
    assert.equal(address % 4096, 0);
    assert.deepEqual([bytes.length, view.byteLength], [sizeBytes, sizeBytes]);
    bytes[sizeBytes - 1] = 9;
    assert.equal(view.getUint8(sizeBytes - 1), 9);
    assert.equal(borrowBuffer(address, sizeBytes).bytes[sizeBytes - 1], 9);
  }
  assert.equal(allocate(100).bytes.buffer.byteLength, 100, "of less, no memory is lost");
});
