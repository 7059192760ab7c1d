/**
 * Reading a large table's file from start to end: the first time, with the store in the page cache
 * and cold, and once more; against the extracted file, and against a pass-through of it, as FUSE
 * itself, where the kernel has the pages in smaller pieces, is slower than a plain file.
 *
 * @module
 */

import type { Codec } from "../backup/mod.ts";
import { COLD_OBSTACLE, dropCaches, readThrough, warm } from "./support/cold.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { allInPairs } from "./support/pairs.ts";
import { mountPassthrough, passthroughName } from "./support/passthrough.ts";
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

/** Both touches with the store cached, and one cold, each on a mount of its own. */
async function onMounts(
  mount: () => Promise<AsyncDisposable & { readonly dirPath: string }>,
  path: string,
): Promise<Figures> {
  let figures: Figures = { warm: 0, second: 0, cold: 0 };
  {
    await using mounted = await mount();
    const first = speed(`${mounted.dirPath}/${path}`);
    figures = { ...figures, warm: first, second: speed(`${mounted.dirPath}/${path}`) };
  }
  if (COLD_OBSTACLE !== undefined) return figures;
  await using mounted = await mount();
  await dropCaches();
  return { ...figures, cold: speed(`${mounted.dirPath}/${path}`) };
}

/** Ours. What the daemon took is noted for the two reads with the store cached. */
function ours(world: World, { catalogDir, path, meter }: Sides): Promise<Figures> {
  warm(catalogDir);
  let isFirst = true;
  return onMounts(async () => {
    const mount = await world.mount(catalogDir);
    const isNoted = isFirst;
    isFirst = false;
    return {
      dirPath: mount.mountDir,
      [Symbol.asyncDispose]: async () => {
        if (isNoted) meter.note(await mount.pid());
        await mount[Symbol.asyncDispose]();
      },
    };
  }, path);
}

async function plain(filePath: string): Promise<Figures> {
  readThrough(filePath);
  const [first, second] = [speed(filePath), speed(filePath)];
  await dropCaches();
  return { warm: first, second, cold: speed(filePath) };
}

async function passed(world: World, tree: string, path: string): Promise<Figures> {
  readThrough(`${tree}/${path}`);
  return await onMounts(() => mountPassthrough(world, tree), path);
}

interface Sides {
  readonly catalogDir: string;
  /** Of the file, from the data directory on. */
  readonly path: string;
  readonly meter: DaemonMeter;
}

/** What the three reads are to reach. */
type Aims = Readonly<Record<keyof Figures, string>>;

async function measureCodec(world: World, codec: Codec): Promise<Row[]> {
  const catalogDir = await world.catalog(codec);
  const tree = await world.extractedTree(world.options.codecs[0]!);
  const { path } = largestRelation(tree);
  const meter = new DaemonMeter();
  const rowsBeside = async (
    against: string,
    other: () => Promise<Figures>,
    aims?: Aims,
  ): Promise<Row[]> => {
    const figures = await allInPairs({
      ours: () => ours(world, { catalogDir, path, meter }),
      other,
    }, world.options);
    const row = (what: string, name: keyof Figures): Row => ({
      what: `sequential read, ${what}, ${codec}`,
      against,
      unit: "MB/s",
      figures: figures[name]!,
      aim: aims?.[name] ?? "",
    });
    const cold = "first touch, cold";
    return [
      row("first touch, store cached", "warm"),
      COLD_OBSTACLE === undefined
        ? row(cold, "cold")
        : { what: `sequential read, ${cold}, ${codec}`, missing: COLD_OBSTACLE },
      row("second touch", "second"),
    ];
  };
  const aims = { warm: "≥ 0.5", cold: "≥ 1.0", second: "≥ 0.95" };
  return [
    ...await rowsBeside("the extracted file", () => plain(`${tree}/${path}`), aims),
    ...await rowsBeside(await passthroughName(world), () => passed(world, tree, path)),
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
