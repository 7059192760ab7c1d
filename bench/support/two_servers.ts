/**
 * Two servers on the same backup: one on a mount, one on an extracted tree of the same disk.
 *
 * @module
 */

import type { PostgresServer } from "../../postgres/mod.ts";
import { cpuSeconds, DaemonMeter } from "./daemon_meter.ts";
import type { Row } from "./report.ts";
import type { World } from "./world.ts";

/** What a scenario measures on. */
export interface TwoServers {
  readonly ours: PostgresServer;
  readonly other: PostgresServer;
  /** What the daemon took since {@link TwoServers.rows} was last called, or since the start. */
  rows(what: string): Row[];
}

/** Starts both, runs `use`, and stops both, unmounts and removes the tree. */
export async function withTwoServers<T>(
  world: World,
  settings: Readonly<Record<string, string>>,
  use: (servers: TwoServers) => Promise<T>,
): Promise<T> {
  const codec = world.options.codecs[0]!;
  const tree = await world.extractNew(codec);
  try {
    await using mount = await world.mount(await world.catalog(codec));
    await using ours = await world.startServer(mount.mountDir, settings);
    await using other = await world.startServer(tree, settings);
    const pid = await mount.pid();
    let cpuBefore = cpuSeconds(pid);
    const rows = (what: string) => {
      const meter = new DaemonMeter();
      meter.note(pid, cpuBefore);
      cpuBefore = cpuSeconds(pid);
      return meter.rows(what);
    };
    return await use({ ours, other, rows });
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}
