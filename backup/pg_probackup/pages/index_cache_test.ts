import assert from "node:assert/strict";
import { IndexCache } from "./index_cache.ts";
import { PageIndexBuilder } from "./page_index.ts";
import type { Row } from "../../tree/path_list.ts";

function indexOf(blockCount: number) {
  const builder = new PageIndexBuilder(blockCount);
  builder.truncate(blockCount);
  return builder.build();
}

Deno.test("page indexes stay within their budget, the least recently used go first [FR-133]", () => {
  const cache = new IndexCache(3 * (8 * 1000 + 256));
  const made: number[] = [];
  const use = (row: number) =>
    cache.get(row as Row, () => {
      made.push(row);
      return indexOf(1000);
    });
  for (const row of [1, 2, 3, 1, 4, 1, 2]) use(row);
  assert.deepEqual(made, [1, 2, 3, 4, 2]);
  assert.equal(cache.memoryBytes, 3 * (8 * 1000 + 256));
  cache.clear();
  assert.equal(cache.memoryBytes, 0);
});

Deno.test("an index larger than the budget is used, and goes when the next one comes [FR-133]", () => {
  const cache = new IndexCache(100);
  assert.equal(cache.get(1 as Row, () => indexOf(50)).blockCount, 50);
  cache.get(2 as Row, () => indexOf(1));
  assert.equal(cache.memoryBytes, 8 + 256);
});

Deno.test("an index costs eight bytes a block [FR-133]", () => {
  assert.equal(indexOf(131072).memoryBytes, 131072 * 8);
  const builder = new PageIndexBuilder(1);
  builder.add(9, { member: 3, offsetBytes: 2 ** 32 - 1, sizeBytes: 8192, isCompressed: true });
  builder.add(2, { member: 0, offsetBytes: 8, sizeBytes: 8192, isCompressed: false });
  const index = builder.build();
  assert.equal(index.memoryBytes, 80);
  assert.equal(index.record(0), undefined);
  assert.deepEqual(index.record(9), {
    member: 3,
    offsetBytes: 2 ** 32 - 1,
    sizeBytes: 8192,
    isCompressed: true,
  });
  assert.deepEqual(index.record(2)?.isCompressed, false);
});
