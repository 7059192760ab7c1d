import assert from "node:assert/strict";
import fc from "fast-check";
import { atomicRecord, layoutOf, plainRecord } from "./mod.ts";

Deno.test("parts of shared memory lie one behind the other [FR-1005]", () => {
  const { at, size } = layoutOf({ head: 1, slots: 64, tail: 2, none: 0 });
  assert.deepEqual([at, size], [{ head: 0, slots: 1, tail: 65, none: 67 }, 67]);
});

Deno.test("what is written as a record is read as it, and nothing beside it is touched [FR-1005]", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]\w{0,8}$/), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(fc.property(names, fc.nat(20), fc.infiniteStream(fc.integer()), (names, start, all) => {
    const numbers = [...all.take(names.length)];
    const record = Object.fromEntries(names.map((name, index) => [name, numbers[index] as number]));
    for (const description of [plainRecord(names), atomicRecord(names)]) {
      assert.equal(description.size, names.length);
      const cells = new Int32Array(new SharedArrayBuffer((start + names.length + 3) * 4)).fill(-7);
      description.write(cells, start, record);
      assert.deepEqual(description.read(cells, start), record);
      names.forEach((name) => assert.equal(cells[start + description.at[name]!], record[name]));
      assert(cells.subarray(0, start).every((cell) => cell === -7));
      assert(cells.subarray(start + names.length).every((cell) => cell === -7));
    }
  }));
});

Deno.test("a plain record keeps numbers of eight bytes [FR-1005]", () => {
  const { write, read, size } = plainRecord(["offsetBytes", "time"]);
  const cells = new Float64Array(new SharedArrayBuffer(size * 8));
  const record = { offsetBytes: 2 ** 44 + 1, time: 0.125 };
  write(cells, 0, record);
  assert.deepEqual(read(cells, 0), record);
});

Deno.test("a name of a cell is a name, and nothing else [FR-1005]", () => {
  for (const name of ["", "a b", "a; b", "0", "a-b", "(x)"]) {
    assert.throws(() => plainRecord([name]), TypeError);
  }
});
