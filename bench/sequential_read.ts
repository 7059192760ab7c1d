/**
 * Reading a large table's file from start to end: the first time, with the store in the page cache
 * and cold, and once more.
 *
 * @module
 */

import type { Codec } from "../backup/mod.ts";
import { COLD_OBSTACLE, dropCaches, readThrough, warm } from "./support/cold.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { allInPairs } from "./support/pairs.ts";
import { largestRelation } from "./support/relations.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

type Figures = Readonly<Record<"warm" | "second" | "cold", number>>;

/** MB a second. */
function speed(path: string): number {
  const start = performance.now();
  const sizeBytes = readThrough(path);
  return sizeBytes / 1000 / (performance.now() - start);
}

async function ours(
  world: World,
  { catalogDir, path, meter }: { catalogDir: string; path: string; meter: DaemonMeter },
): Promise<Figures> {
  let figures: Figures = { warm: 0, second: 0, cold: 0 };
  warm(catalogDir);
  {
    await using mount = await world.mount(catalogDir);
    const first = speed(`${mount.mountDir}/${path}`);
    figures = { ...figures, warm: first, second: speed(`${mount.mountDir}/${path}`) };
    meter.note(await mount.pid());
  }
  if (COLD_OBSTACLE !== undefined) return figures;
  await using mount = await world.mount(catalogDir);
  await dropCaches();
  return { ...figures, cold: speed(`${mount.mountDir}/${path}`) };
}

async function other(filePath: string): Promise<Figures> {
  readThrough(filePath);
  const [first, second] = [speed(filePath), speed(filePath)];
  await dropCaches();
  return { warm: first, second, cold: speed(filePath) };
}

async function measureCodec(world: World, codec: Codec): Promise<Row[]> {
  const { pairs, warmUp } = world.options;
  const catalogDir = await world.catalog(codec);
  const tree = await world.extractedTree(world.options.codecs[0]!);
  const { path } = largestRelation(tree);
  const meter = new DaemonMeter();
  const figures = await allInPairs({
    ours: () => ours(world, { catalogDir, path, meter }),
    other: () => other(`${tree}/${path}`),
  }, { pairs, warmUp });
  const row = (what: string, name: keyof Figures, against: string, aim: string): Row => ({
    what: `sequential read, ${what}, ${codec}`,
    against,
    unit: "MB/s",
    figures: figures[name]!,
    aim,
  });
  const cold = "first touch, cold";
  return [
    row("first touch, store cached", "warm", "the extracted file, cached", "≥ 0.5"),
    COLD_OBSTACLE === undefined
      ? row(cold, "cold", "the extracted file, cold", "≥ 1.0")
      : { what: `sequential read, ${cold}, ${codec}`, missing: COLD_OBSTACLE },
    row("second touch", "second", "the extracted file, cached", "≥ 0.95"),
    ...meter.rows(`sequential read, twice, ${codec}`),
  ];
}

export const scenario: Scenario = {
  name: "sequential_read",
  async measure(world): Promise<Row[]> {
    const rows: Row[] = [];
    for (const codec of world.options.codecs) rows.push(...await measureCodec(world, codec));
    return rows;
  },
};

if (import.meta.main) await main([scenario]);
