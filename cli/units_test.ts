import assert from "node:assert/strict";
import { sizeText } from "../daemon/mod.ts";
import { factLines, tableLines } from "./table.ts";
import { durationText, timeText } from "./units.ts";

Deno.test("FR-770 sizes and durations are rounded to what people read", () => {
  assert.deepEqual([0, 512, 1024, 1536, 5 * 1024 ** 3].map(sizeText), [
    ...["0 B", "512 B", "1.0 KiB", "1.5 KiB", "5.0 GiB"],
  ]);
  assert.deepEqual([0.4, 85, 1234, 3_400_000].map(durationText), [
    ...["0 µs", "85 µs", "1.2 ms", "3.4 s"],
  ]);
});

Deno.test("FR-770 times are of this machine's zone, and may be unknown", () => {
  assert.equal(timeText(new Date(2025, 2, 9, 4, 5, 6).getTime()), "2025-03-09 04:05:06");
  assert.equal(timeText(undefined), "-");
});

Deno.test("FR-770 columns are below each other, without blanks at the end", () => {
  assert.deepEqual(tableLines([["A", "B"], ["µµµ", "b"], ["a", ""]]), ["A    B", "µµµ  b", "a"]);
  assert.deepEqual(factLines({ a: "1", long: "2" }), ["a     1", "long  2"]);
});
