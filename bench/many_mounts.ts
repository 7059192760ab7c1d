/**
 * Many mounts of one chain at a time, each with a server, all answering; against one.
 *
 * @module
 */

import { cpuSeconds, memoryMb } from "./support/daemon_meter.ts";
import { spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

const SETTINGS = { shared_buffers: "16MB", max_connections: "10", max_wal_size: "256MB" };
const QUERY = "select sum(abalance) from pgbench_accounts";

/** Seconds until all have answered, of which each reads its whole table; memory of each daemon. */
async function measure(world: World, count: number) {
  const catalogDir = await world.catalog(world.options.codecs[0]!);
  await using stack = new AsyncDisposableStack();
  const seconds: Record<"mounted" | "answered", number> = { mounted: 0, answered: 0 };
  const start = performance.now();
  const starting = Array.from({ length: count }, async () => {
    const mount = await world.mount(catalogDir);
    stack.use(mount);
    return { mount, server: stack.use(await world.startServer(mount.mountDir, SETTINGS)) };
  });
  await Promise.allSettled(starting); // If one fails, the others must not start any more.
  const started = await Promise.all(starting);
  seconds.mounted = (performance.now() - start) / 1000;
  const answers = await Promise.all(started.map(({ server }) => server.query(QUERY)));
  seconds.answered = (performance.now() - start) / 1000;
  if (new Set(answers).size !== 1) throw new Error(`Mounts differ: ${answers.join(", ")}`);
  const pids = await Promise.all(started.map(({ mount }) => mount.pid()));
  return { seconds, memory: pids.map(memoryMb), cpu: pids.map(cpuSeconds) };
}

export const scenario: Scenario = {
  name: "many_mounts",
  async measure(world): Promise<Row[]> {
    const rows: Row[] = [];
    for (const count of [1, world.options.mounts]) {
      const { seconds, memory, cpu } = await measure(world, count);
      const told = (what: string, unit: string, figures: readonly number[]): Row => ({
        what: `mounts: ${count}, ${what}`,
        unit,
        alone: spread(figures),
        runs: figures.length,
      });
      rows.push(
        told("until all servers run", "s", [seconds.mounted]),
        told("until each has read its accounts", "s", [seconds.answered]),
        told("each daemon's memory", "MiB", memory),
        told("each daemon's CPU", "s", cpu),
      );
    }
    return rows;
  },
};

if (import.meta.main) await main([scenario]);
