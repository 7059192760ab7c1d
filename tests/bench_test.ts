/** The scenarios of bench/, as small as can be: they must run, not be fast. */

import assert from "node:assert/strict";
import { SCENARIOS } from "../bench/all.ts";
import { DEFAULTS } from "../bench/support/options.ts";
import { allInPairs, inPairs, spread } from "../bench/support/pairs.ts";
import type { Row } from "../bench/support/report.ts";
import { runScenarios } from "../bench/support/scenario.ts";
import { changedBytes } from "../bench/support/changed_pages.ts";
import { pageAt } from "../bench/support/random_reads.ts";
import { fuseMounts } from "./support/mounts.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";

const TINY = {
  ...DEFAULTS,
  sizeMb: 10,
  codecs: ["zlib"] as const,
  pairs: 1,
  warmUp: false,
  seconds: 1,
  clients: 2,
  initScale: 1,
  dirtyPages: 500,
  randomPages: 500,
  threads: [2],
  files: 300,
  backups: 3,
  manyFiles: 600,
  mounts: 2,
};

/** What a run may leave: mounts, files, and processes that work there. */
function leftIn(dirPath: string): string[] {
  const inside = (path: string) => `${path}/`.startsWith(`${dirPath}/`);
  const mounts = fuseMounts(dirPath).map(({ mountDir }) => `mount ${mountDir}`);
  const processes = [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      return /^\d+$/.test(name) && inside(Deno.readLinkSync(`/proc/${name}/cwd`)) ? [name] : [];
    } catch {
      return []; // Ended meanwhile.
    }
  });
  const files = [...Deno.readDirSync(dirPath.slice(0, dirPath.lastIndexOf("/")))]
    .map(({ name }) => name).filter((name) => dirPath.endsWith(`/${name}`));
  return [...mounts, ...processes, ...files];
}

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "FR-810 each scenario of bench/ gives rows, and leaves nothing behind",
  async () => {
    const tables = new Map<string, readonly Row[]>();
    let place = "";
    const failed = await runScenarios(SCENARIOS, TINY, (name, rows, dirPath) => {
      tables.set(name, rows);
      place = dirPath;
    });
    assert.deepEqual(failed.map((error) => `${error.message}: ${error.cause}`), []);
    for (const { name } of SCENARIOS) {
      const rows = tables.get(name) ?? [];
      assert(rows.length > 0, `${name} gives rows`);
      for (const row of rows) {
        const figure = "missing" in row ? 1 : "alone" in row ? row.alone.median : undefined;
        const ratio = "figures" in row ? row.figures.ratio.median : undefined;
        assert((ratio ?? figure ?? NaN) >= 0, `${name}: ${JSON.stringify(row)}`);
      }
    }
    assert.deepEqual(leftIn(place), []);
  },
);

Deno.test("FR-811 what is compared is measured in turn, and the ratio is that of each pair", async () => {
  const order: string[] = [];
  const next = (side: string, figures: number[]) => () => {
    order.push(side);
    return figures.shift()!;
  };
  const measures = () => ({
    ours: next("ours", [99, 10, 20, 30]),
    other: next("other", [99, 5, 40, 10]),
  });
  const figures = await inPairs(measures(), 3);
  assert.deepEqual(order.join(" "), "other ours ours other other ours ours other");
  assert.deepEqual(figures.ratio, { min: 0.5, median: 2, max: 3 });
  const times = await inPairs(measures(), { pairs: 3, areTimes: true });
  assert.deepEqual(times.ratio, { min: 1 / 3, median: 0.5, max: 2 });
  assert.deepEqual(spread([4, 1, 2, 3]), { min: 1, median: 2.5, max: 4 });
  const turn = (a: number) => () => Promise.resolve({ a, b: 2 * a });
  const all = await allInPairs({ ours: turn(3), other: turn(1) }, { pairs: 2, warmUp: false });
  assert.deepEqual([all["a"]!.ratio.median, all["b"]!.ours.median], [3, 6]);
});

Deno.test("FR-811 random reads touch each page once", () => {
  for (const pages of [1, 7, 1000, 1_000_003]) {
    const seen = new Uint8Array(pages);
    for (let place = 0; place < pages; place++) seen[pageAt(place, pages)]!++;
    assert(seen.every((times) => times === 1), `${pages}`);
  }
});

Deno.test("FR-811 changed pages are counted by their bytes", async () => {
  await using dir = TempDir.make();
  const [tree, base] = [`${dir.path}/tree`, `${dir.path}/base`];
  for (const path of [tree, base, `${tree}/pg_wal`, `${tree}/sub`, `${base}/sub`]) {
    Deno.mkdirSync(path);
  }
  const page = 8192;
  const bytes = new Uint8Array(300 * page + 100);
  Deno.writeFileSync(`${base}/sub/1`, bytes);
  bytes[0] = 1;
  bytes[200 * page + 5] = bytes[200 * page + 7] = 1;
  bytes[300 * page] = 1;
  Deno.writeFileSync(`${tree}/sub/1`, bytes);
  Deno.writeFileSync(`${tree}/new`, new Uint8Array(5));
  Deno.writeFileSync(`${tree}/pg_wal/1`, new Uint8Array(5));
  assert.equal(changedBytes(tree, base, "pg_wal"), 2 * page + 100 + 5);
});
