/**
 * For how long the daemon stands still to collect garbage while it is busy: reads at random and
 * from start to end past the page cache, and pgbench.
 *
 * @module
 */

import { DaemonMeter } from "./support/daemon_meter.ts";
import { startDirectReads } from "./support/direct_reads.ts";
import { mountInForeground } from "./support/foreground_mount.ts";
import { type Collection, ofBusiest, parseCollections, pausesMs } from "./support/gc_trace.ts";
import { spread } from "./support/pairs.ts";
import { percentile } from "./support/percentile.ts";
import { largestRelation } from "./support/relations.ts";
import type { Row } from "./support/report.ts";
import { runPgbench } from "./support/run_pgbench.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

const RANDOM_READERS = 4;
const SEQUENTIAL_BYTES = 1024 * 1024;

/** What V8 prints goes to stdout, at the latest when the process ends. */
const TRACE_COLLECTIONS = { DENO_V8_FLAGS: "--trace-gc" };

interface Turn {
  readonly collections: readonly Collection[];
  readonly seconds: number;
}

async function turn(world: World, meter: DaemonMeter): Promise<Turn> {
  const catalogDir = await world.catalog(world.options.codecs[0]!);
  await using mount = await mountInForeground(world, catalogDir, TRACE_COLLECTIONS);
  const { path } = largestRelation(mount.mountDir);
  const filePath = `${mount.mountDir}/${path}`;
  await using server = await world.startServer(mount.mountDir);
  const start = performance.now();
  {
    await using random = await startDirectReads(filePath, { threads: RANDOM_READERS });
    await using sequential = await startDirectReads(filePath, { sizeBytes: SEQUENTIAL_BYTES });
    await runPgbench(server, world.options);
    await Promise.all([random.stop(), sequential.stop()]);
  }
  const seconds = (performance.now() - start) / 1000;
  await server.stop();
  meter.note(mount.pid);
  // The clocks of all heaps began before the mount was there, so none of the load is left out.
  const beganMs = start - mount.mountedAt;
  const all = parseCollections(await mount.unmount());
  return { collections: all.filter(({ endMs }) => endMs >= beganMs), seconds };
}

function rowsOf(who: string, turns: readonly Turn[], aim: string): Row[] {
  const row = (what: string, unit: string, figureOf: (turn: Turn) => number, wanted = ""): Row => ({
    what: `garbage collection, ${who}: ${what}`,
    unit,
    alone: spread(turns.map(figureOf)),
    runs: turns.length,
    aim: wanted,
  });
  const pause = (share: number) => ({ collections }: Turn) => {
    const sorted = pausesMs(collections).toSorted((a, b) => a - b);
    return sorted.length === 0 ? 0 : percentile(sorted, share);
  };
  return [
    row("collections", "", ({ collections }) => collections.length),
    row("how often", "a second", ({ collections, seconds }) => collections.length / seconds),
    row("99 % of pauses within", "ms", pause(0.99)),
    row("longest pause", "ms", pause(1), aim),
  ];
}

export const scenario: Scenario = {
  name: "pauses",
  async measure(world): Promise<Row[]> {
    const meter = new DaemonMeter();
    const turns: Turn[] = [];
    for (let run = 0; run < world.options.pairs; run++) turns.push(await turn(world, meter));
    const busiest = turns.map((one) => ({ ...one, collections: ofBusiest(one.collections) }));
    return [
      ...rowsOf("busiest thread", busiest, "≤ 5 ms"),
      ...rowsOf("all threads", turns, ""),
      ...meter.rows("under this load"),
    ];
  },
};

if (import.meta.main) await main([scenario]);
