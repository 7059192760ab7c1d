import assert from "node:assert/strict";
import { sizeText } from "../operate/mod.ts";
import { factLines, fittedLines, tableLines } from "./table.ts";
import { textWidth } from "./text_width.ts";
import { ageText, durationText, timeText } from "./units.ts";

Deno.test("sizes and durations are rounded to what people read [FR-770]", () => {
  assert.deepEqual([0, 512, 1024, 1536, 5 * 1024 ** 3].map(sizeText), [
    ...["0 B", "512 B", "1.0 KiB", "1.5 KiB", "5.0 GiB"],
  ]);
  assert.deepEqual([0.4, 85, 1234, 3_400_000].map(durationText), [
    ...["0 µs", "85 µs", "1.2 ms", "3.4 s"],
  ]);
});

Deno.test("times are of this machine's zone, and may be unknown [FR-770]", () => {
  assert.equal(timeText(new Date(2025, 2, 9, 4, 5, 6).getTime()), "2025-03-09 04:05:06");
  assert.equal(timeText(undefined), "-");
});

Deno.test("columns are below each other, without blanks at the end [FR-770]", () => {
  assert.deepEqual(tableLines([["A", "B"], ["µµµ", "b"], ["a", ""]]), ["A    B", "µµµ  b", "a"]);
  assert.deepEqual(factLines({ a: "1", long: "2" }), ["a     1", "long  2"]);
});

Deno.test("an age is in the largest unit that it has two of [FR-770]", () => {
  const ages = [0, 1999, 100_000, 119_999, 120_000, 7_199_000, 7_200_000, 90_000_000, 259_200_000];
  assert.deepEqual(ages.map((age) => ageText(1e12 - age, 1e12)), [
    ...["0 s", "1 s", "100 s", "119 s", "2 min", "119 min", "2 h", "25 h", "3 d"],
  ]);
  assert.equal(ageText(undefined, 5), "-");
  assert.equal(ageText(2e12, 1e12), "0 s", "clocks differ");
});

Deno.test("letters that take two columns are counted as two, accents as none [FR-941]", () => {
  assert.deepEqual(["abc", "数据库", "ｆｕｌｌ", "e\u0301", "한글", "🐘", ""].map(textWidth), [
    ...[3, 6, 8, 1, 4, 2, 0],
  ]);
  assert.deepEqual(tableLines([["A", "B"], ["数据", "b"], ["a", "c"]]), [
    "A     B",
    "数据  b",
    "a     c",
  ]);
});

Deno.test("tables fit: columns are left out, and then the first gets a line of its own [FR-941]", () => {
  const rows = [["MOUNT", "STATE", "READS", "WRITES"], ["/clones/克隆/one", "serving", "1", "22"]];
  const at = (width: number) => fittedLines(rows, { width, optional: ["WRITES", "READS"] });
  assert.deepEqual(at(Infinity), [
    "MOUNT             STATE    READS  WRITES",
    "/clones/克隆/one  serving  1      22",
  ]);
  assert.deepEqual(at(35), ["MOUNT             STATE    READS", "/clones/克隆/one  serving  1"]);
  assert.deepEqual(at(25), ["MOUNT             STATE", "/clones/克隆/one  serving"]);
  assert.deepEqual(at(24), [
    ...["MOUNT", "  STATE    READS  WRITES", "/clones/克隆/one", "  serving  1      22"],
  ]);
  assert.deepEqual(at(1), ["MOUNT", "  STATE", "/clones/克隆/one", "  serving"]);
  for (const width of [25, 30, 40]) {
    for (const line of at(width)) assert(textWidth(line) <= width, `${width}: ${line}`);
  }
});
