/**
 * Reading pages of a large table's file at random for the first time, with the store in the page
 * cache, against a pass-through of the extracted tree: what is left is the work of pbkfs itself.
 *
 * @module
 */

import { warm } from "./support/cold.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { allInPairs } from "./support/pairs.ts";
import { mountPassthrough, passthroughName, passthroughProgram } from "./support/passthrough.ts";
import { randomReads } from "./support/random_reads.ts";
import { largestRelation } from "./support/relations.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

type Figures = Readonly<Record<"fresh" | "later", number>>;

/** Pages a second: right after the mount, and of as many others after that. */
async function bothReads(world: World, path: string, threads: number): Promise<Figures> {
  // Each page only once, also where the file is small.
  const pages = Math.min(world.options.randomPages, Math.floor(Deno.statSync(path).size / 16384));
  const fresh = await randomReads({ path, pages, threads });
  return { fresh, later: await randomReads({ path, pages, threads, skipped: pages }) };
}

async function measureThreads(world: World, threads: number): Promise<Row[]> {
  const { pairs, warmUp, codecs: [codec] } = world.options;
  const catalogDir = await world.catalog(codec!);
  const tree = await world.extractedTree(codec!);
  const { path } = largestRelation(tree);
  const meter = new DaemonMeter();
  const figures = await allInPairs({
    ours: async () => {
      warm(catalogDir);
      await using mount = await world.mount(catalogDir);
      const speeds = await bothReads(world, `${mount.mountDir}/${path}`, threads);
      meter.note(await mount.pid());
      return speeds;
    },
    other: async () => {
      warm(tree);
      await using passed = await mountPassthrough(world, tree);
      return await bothReads(world, `${passed.dirPath}/${path}`, threads);
    },
  }, { pairs, warmUp });
  const against = await passthroughName(world);
  const isPassed = await passthroughProgram(world) !== undefined;
  const what = `random 8 KiB reads, first touch, ${codec}, threads: ${threads}`;
  const row = (when: string, name: keyof Figures): Row => ({
    what: what + when,
    against,
    unit: "pages/s",
    figures: figures[name]!,
    aim: isPassed ? "≥ 1.0" : "",
  });
  return [
    row(", right after the mount", "fresh"),
    row(", later", "later"),
    ...meter.rows(what),
  ];
}

export const scenario: Scenario = {
  name: "random_read",
  async measure(world): Promise<Row[]> {
    const rows: Row[] = [];
    for (const threads of world.options.threads) rows.push(...await measureThreads(world, threads));
    return rows;
  },
};

if (import.meta.main) await main([scenario]);
