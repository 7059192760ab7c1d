/**
 * How long until the first query is answered: mount, start and SELECT, all cold, against the
 * extraction of the whole chain, start and SELECT.
 *
 * @module
 */

import { dropCaches } from "./support/cold.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { extract } from "./support/extract.ts";
import { inPairs, spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

const QUERY = "select abalance from pgbench_accounts where aid = 4711";

async function secondsOf(job: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await job();
  return (performance.now() - start) / 1000;
}

async function firstQuery(world: World, dataDir: string): Promise<AsyncDisposable> {
  const server = await world.startServer(dataDir);
  await server.query(QUERY);
  return server;
}

async function byMount(world: World, sizeMb: number, meter: DaemonMeter): Promise<number> {
  const catalogDir = await world.catalog(world.options.codecs[0]!, sizeMb);
  await dropCaches();
  await using mount = await world.mount(catalogDir);
  await using stack = new AsyncDisposableStack();
  const seconds = await secondsOf(async () => {
    stack.use(await firstQuery(world, mount.mountDir));
  });
  meter.note(await mount.pid());
  return mount.mountSeconds + seconds;
}

async function byExtraction(world: World, sizeMb: number): Promise<number> {
  const spec = await world.chain(world.options.codecs[0]!, sizeMb);
  const targetDir = world.newPath("restored");
  await dropCaches();
  try {
    await using stack = new AsyncDisposableStack();
    return await secondsOf(async () => {
      await extract({ spec, targetDir, owner: world.user, sync: true });
      stack.use(await firstQuery(world, targetDir));
    });
  } finally {
    await Deno.remove(targetDir, { recursive: true });
  }
}

/** How much longer ours takes on the last size than on the first. */
function growth(medians: readonly { readonly size: number; readonly seconds: number }[]): Row[] {
  const [first, last] = [medians[0], medians.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  return [{
    what: `ours on ${last.size} MB, in times of that on ${first.size} MB`,
    unit: "×",
    alone: spread([last.seconds / first.seconds]),
    runs: 1,
    aim: "≤ 1.3",
  }];
}

export const scenario: Scenario = {
  name: "first_query",
  async measure(world): Promise<Row[]> {
    const { sizeMb, sizesMb, pairs, codecs, warmUp } = world.options;
    const rows: Row[] = [];
    const medians: { readonly size: number; readonly seconds: number }[] = [];
    for (const size of sizesMb.length > 0 ? sizesMb : [sizeMb]) {
      const meter = new DaemonMeter();
      const figures = await inPairs({
        ours: () => byMount(world, size, meter),
        other: () => byExtraction(world, size),
      }, { pairs, areTimes: true, warmUp });
      medians.push({ size, seconds: figures.ours.median });
      rows.push({
        what: `first query on ${size} MB, ${codecs[0]}, cold`,
        against: "extraction, synced, and the same",
        unit: "s",
        figures,
        aim: size >= 10_000 ? "≥ 100" : "",
      });
      rows.push(...meter.rows(`first query on ${size} MB`));
    }
    return [...rows, ...growth(medians)];
  },
};

if (import.meta.main) await main([scenario]);
