/**
 * Reading pages of a large table's file at random for the first time, with the store in the page
 * cache, against a pass-through of the extracted tree: what is left is the work of pbkfs itself.
 *
 * @module
 */

import { warm } from "./support/cold.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { inPairs } from "./support/pairs.ts";
import { mountPassthrough, passthroughName, passthroughProgram } from "./support/passthrough.ts";
import { randomReads } from "./support/random_reads.ts";
import { largestRelation } from "./support/relations.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

async function measureThreads(world: World, threads: number): Promise<Row[]> {
  const { pairs, warmUp, randomPages: pages, codecs: [codec] } = world.options;
  const catalogDir = await world.catalog(codec!);
  const tree = await world.extractedTree(codec!);
  const { path } = largestRelation(tree);
  const meter = new DaemonMeter();
  const figures = await inPairs({
    ours: async () => {
      warm(catalogDir);
      await using mount = await world.mount(catalogDir);
      const speed = await randomReads({ path: `${mount.mountDir}/${path}`, pages, threads });
      meter.note(await mount.pid());
      return speed;
    },
    other: async () => {
      warm(tree);
      await using passed = await mountPassthrough(world, tree);
      return await randomReads({ path: `${passed.dirPath}/${path}`, pages, threads });
    },
  }, { pairs, warmUp });
  const isPassed = await passthroughProgram(world) !== undefined;
  const what = `random 8 KiB reads, first touch, ${codec}, threads: ${threads}`;
  return [
    {
      what,
      against: await passthroughName(world),
      unit: "pages/s",
      figures,
      aim: isPassed ? "≥ 1.0" : "",
    },
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
