import assert from "node:assert/strict";
import type { Ino } from "../fuse/mod.ts";
import { LostBytes } from "./lost_bytes.ts";

const FILE = 7 as Ino;
const range = (offsetBytes: number, end: number) => ({ offsetBytes, sizeBytes: end - offsetBytes });

function losing(...parts: readonly (readonly [number, number])[]): LostBytes {
  const lost = new LostBytes();
  for (const [from, end] of parts) lost.add(FILE, range(from, end), 28);
  return lost;
}

Deno.test("FR-625 lost bytes are missed until all of them are written again", () => {
  const lost = losing([100, 200], [300, 400]);
  lost.written(FILE, range(150, 250));
  assert.equal(lost.errnoOf(FILE), 28);
  lost.written(FILE, range(0, 200));
  lost.written(FILE, range(350, 500));
  assert.equal(lost.errnoOf(FILE), 28);
  lost.written(FILE, range(200, 350));
  assert.equal(lost.errnoOf(FILE), 0);
  assert.deepEqual([...lost], []);
});

Deno.test("FR-625 lost bytes that are cut off, or whose file goes, are not missed", () => {
  const cut = losing([100, 200]);
  cut.cut(FILE, 150);
  assert.equal(cut.errnoOf(FILE), 28);
  cut.cut(FILE, 100);
  assert.equal(cut.errnoOf(FILE), 0);
  const gone = losing([100, 200]);
  gone.forget(FILE);
  assert.equal(gone.errnoOf(FILE), 0);
});
