/**
 * How large the diff is after a fixed workload, against the pages that it changed. `pg_wal` is
 * left out: it is as large as on any disk.
 *
 * @module
 */

import { spaceBytes } from "../tests/support/space.ts";
import { changedBytes } from "./support/changed_pages.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

const MEBIBYTE = 2 ** 20;

interface Sizes {
  readonly diff: number;
  readonly changed: number;
}

async function oneRun(world: World, tree: string, meter: DaemonMeter): Promise<Sizes> {
  const { codecs: [codec], sizeMb } = world.options;
  await using mount = await world.mount(await world.catalog(codec!));
  const walDir = Deno.realPathSync(`${mount.mountDir}/pg_wal`);
  {
    await using server = await world.startServer(mount.mountDir);
    const transactions = `${Math.max(100, sizeMb * 4)}`;
    await server.run("pgbench", ["-n", "-t", transactions, "-c", "2", "--random-seed=7"]);
    await server.query("checkpoint");
    await server.stop();
  }
  const changed = changedBytes(mount.mountDir, tree, "pg_wal");
  meter.note(await mount.pid());
  await mount.unmount();
  return { diff: spaceBytes(mount.diffDir, walDir), changed };
}

export const scenario: Scenario = {
  name: "diff_size",
  async measure(world): Promise<Row[]> {
    const tree = await world.extractedTree(world.options.codecs[0]!);
    const meter = new DaemonMeter();
    const runs: Sizes[] = [];
    for (let run = 0; run < world.options.pairs; run++) {
      runs.push(await oneRun(world, tree, meter));
    }
    return [
      {
        what: "diff after a fixed workload, without pg_wal",
        against: "distinct pages changed",
        unit: "MiB",
        figures: {
          ours: spread(runs.map(({ diff }) => diff / MEBIBYTE)),
          other: spread(runs.map(({ changed }) => changed / MEBIBYTE)),
          ratio: spread(runs.map(({ diff, changed }) => diff / changed)),
          pairs: runs.length,
        },
        aim: "≤ 1.05",
      },
      ...meter.rows("the workload"),
    ];
  },
};

if (import.meta.main) await main([scenario]);
