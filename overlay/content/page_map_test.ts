import assert from "node:assert/strict";
import fc from "fast-check";
import { PageMap, PAGES_A_PART } from "./page_map.ts";

Deno.test("a new page map holds nothing [FR-402]", () => {
  const map = new PageMap();
  assert.equal(map.has(0), false);
  assert.equal(map.has(1_000_000), false);
  assert.equal(map.last(), -1);
  assert.deepEqual(map.takeChanged(), []);
});

Deno.test("a run ends where held changes to not held, or at the count asked for [FR-402]", () => {
  const map = new PageMap();
  map.add(3, 2);
  assert.deepEqual(map.run(0, 10), { held: false, first: 0, count: 3 });
  assert.deepEqual(map.run(3, 10), { held: true, first: 3, count: 2 });
  assert.deepEqual(map.run(3, 1), { held: true, first: 3, count: 1 });
  assert.deepEqual(map.run(5, 1000), { held: false, first: 5, count: 1000 });
});

Deno.test("only parts that changed are told, until storing them fails [FR-402]", () => {
  const map = new PageMap();
  map.add(PAGES_A_PART - 1, 2);
  assert.deepEqual(map.takeChanged(), [0, 1]);
  map.add(PAGES_A_PART, 1); // Held already.
  assert.equal(map.hasChanged, false);
  map.dropFrom(PAGES_A_PART);
  assert.deepEqual(map.takeChanged(), [1]);
  map.markChanged([1]);
  assert.equal(map.hasChanged, true);
});

Deno.test("dropping from a page on forgets that page and all behind it [FR-402]", () => {
  const map = new PageMap();
  map.add(0, 20);
  map.add(9000, 1);
  assert.equal(map.dropFrom(13), true);
  assert.equal(map.last(), 12);
  assert.equal(map.has(13), false);
  assert.equal(map.dropFrom(13), false, "there is nothing left to drop");
});

Deno.test("parts that were stored make the same map again [FR-402]", () => {
  const map = new PageMap();
  map.add(5, 3);
  map.add(3 * PAGES_A_PART + 77, 4);
  const again = new PageMap();
  for (const part of map.takeChanged()) again.setPart(part, map.part(part));
  assert.equal(again.last(), map.last());
  assert.deepEqual(again.run(5, 100), map.run(5, 100));
  assert.equal(again.hasChanged, false);
});

Deno.test("a page map agrees with a set of numbers [FR-402]", () => {
  const page = fc.nat(3 * PAGES_A_PART);
  const step = fc.oneof(
    fc.record({ add: page, count: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ dropFrom: page }),
  );
  fc.assert(fc.property(fc.array(step), page, (steps, probe) => {
    const map = new PageMap();
    let model = new Set<number>();
    for (const taken of steps) {
      if ("add" in taken) {
        map.add(taken.add, taken.count);
        for (let n = 0; n < taken.count; n++) model.add(taken.add + n);
      } else {
        const left = new Set([...model].filter((n) => n < taken.dropFrom));
        assert.equal(map.dropFrom(taken.dropFrom), left.size < model.size);
        model = left;
      }
    }
    assert.equal(map.last(), Math.max(-1, ...model));
    const { held, count } = map.run(probe, 500);
    for (let n = 0; n < count; n++) assert.equal(model.has(probe + n), held);
    if (count < 500) assert.equal(model.has(probe + count), !held);
  }));
});

Deno.test("what was added since a commit can be forgotten, what was dropped stays so [FR-461]", () => {
  const map = new PageMap();
  const take = () => map.takeChanged().map((part) => ({ part, bits: map.part(part) }));
  const commit = (taken: ReturnType<typeof take>) =>
    taken.forEach(({ part, bits }) => map.committed(part, bits));
  const held = () => Array.from({ length: 12 }, (_, page) => map.has(page) ? 1 : 0).join("");
  map.add(0, 6);
  commit(take());
  map.add(6, 2);
  const underWay = take();
  map.add(8, 2);
  map.dropFrom(9);
  map.revert();
  assert.equal(held(), "111111000000");
  map.add(6, 2);
  map.dropFrom(4);
  map.add(5, 3);
  map.revert();
  assert.equal(held(), "111100000000");
  map.add(6, 2);
  commit(underWay);
  map.add(8, 1);
  map.revert();
  assert.equal(held(), "111100110000", "what a job has committed stays");
  assert(map.hasChanged);
});
