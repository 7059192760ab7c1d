/**
 * How long a reader waits while others sync: one thread reads pages at random past the page cache,
 * with the store in it, while some append pages to files of the same mount and sync each.
 *
 * @module
 */

import { BusyThreads } from "./support/busy_threads.ts";
import { warm } from "./support/cold.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { type ReadTimes, readTimes, startDirectReads } from "./support/direct_reads.ts";
import { allInPairs, type PairedFigures, spread } from "./support/pairs.ts";
import { largestRelation } from "./support/relations.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { SyncJob } from "./support/syncs_worker.ts";
import type { BenchMount, World } from "./support/world.ts";

/** For the daemon: it does by itself, in its dispatcher, what it otherwise hands to a thread. */
const WITHOUT_COMMIT_THREAD = { PBKFS_WITHOUT: "commit_thread" };

const SHOWN: Readonly<Record<keyof ReadTimes, string>> = {
  p50: "p50",
  p99: "p99",
  p999: "p99.9",
  max: "longest",
};

interface Turn extends ReadTimes {
  readonly syncsASecond: number;
}

/** Reads from a mount for a while. @param syncedDir Where others write and sync meanwhile. */
async function turn(world: World, mount: BenchMount, syncedDir?: string): Promise<Turn> {
  const { path } = largestRelation(mount.mountDir);
  const url = new URL("./support/syncs_worker.ts", import.meta.url);
  const writers = syncedDir === undefined ? 0 : world.options.writers;
  const jobs = Array.from({ length: writers }, (_, writer): SyncJob => {
    return { path: `${syncedDir}/synced-${writer}` };
  });
  await using syncing = await BusyThreads.start<SyncJob, number>(url, jobs);
  await using reading = await startDirectReads(`${mount.mountDir}/${path}`);
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, world.options.seconds * 1000));
  const [times] = await reading.stop();
  const syncs = (await syncing.stop()).reduce((sum, count) => sum + count, 0);
  const syncsASecond = syncs / ((performance.now() - start) / 1000);
  return { ...readTimes(times!), syncsASecond };
}

function rowsOf(
  figures: Readonly<Record<string, PairedFigures>>,
  against: string,
  what: string,
): Row[] {
  return (Object.keys(SHOWN) as (keyof ReadTimes)[]).map((name) => ({
    what: `${what}: ${SHOWN[name]}`,
    against,
    unit: "µs",
    figures: figures[name]!,
  }));
}

export const scenario: Scenario = {
  name: "sync_latency",
  async measure(world): Promise<Row[]> {
    const { pairs, warmUp, writers, codecs: [codec] } = world.options;
    const catalogDir = await world.catalog(codec!);
    warm(catalogDir);
    const plainDir = world.newPath("plain");
    Deno.mkdirSync(plainDir);
    await using mount = await world.mount(catalogDir);
    await using without = await world.mount(catalogDir, { env: WITHOUT_COMMIT_THREAD });
    const meter = new DaemonMeter();
    const syncs: number[] = [];
    const loaded = async () => {
      const { syncsASecond, ...times } = await turn(world, mount, mount.mountDir);
      syncs.push(syncsASecond);
      return times;
    };
    const what = `read of 8 KiB while ${writers} sync`;
    const besides = async (against: string, other: () => Promise<Turn>) => {
      const both = {
        ours: loaded,
        other: async () => {
          const { syncsASecond: _uncounted, ...times } = await other();
          return times;
        },
      };
      return rowsOf(await allInPairs(both, { pairs, warmUp, areTimes: true }), against, what);
    };
    const rows = [
      ...await besides("the same at rest", () => turn(world, mount)),
      ...await besides("while they sync a plain directory", () => turn(world, mount, plainDir)),
      ...await besides(
        "with commits on the dispatcher",
        () => turn(world, without, without.mountDir),
      ),
    ];
    meter.note(await mount.pid());
    return [
      ...rows,
      { what: "syncs meanwhile", unit: "a second", alone: spread(syncs), runs: syncs.length },
      ...meter.rows("all turns"),
    ];
  },
};

if (import.meta.main) await main([scenario]);
