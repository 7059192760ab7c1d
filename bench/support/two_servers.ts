/**
 * Two servers on the same backup: one on a mount, one on an extracted tree of the same disk, or on
 * a pass-through of that.
 *
 * @module
 */

import type { PostgresServer } from "../../postgres/mod.ts";
import { cpuSeconds, DaemonMeter } from "./daemon_meter.ts";
import { mountPassthrough, type Passthrough, passthroughName } from "./passthrough.ts";
import type { Row } from "./report.ts";
import type { World } from "./world.ts";

/** What a scenario measures on. */
export interface TwoServers {
  readonly ours: PostgresServer;
  readonly other: PostgresServer;
  /** What the other runs on. */
  readonly against: string;
  /** What the daemon took since {@link TwoServers.rows} was last called, or since the start. */
  rows(what: string): Row[];
}

/** Starts both, runs `use`, and stops both, unmounts and removes the tree. */
export async function withTwoServers<T>(
  world: World,
  settings: Readonly<Record<string, string>>,
  use: (servers: TwoServers) => Promise<T>,
): Promise<T> {
  return await withOurServer(
    world,
    settings,
    (ours, pid) =>
      withOtherServer(world, settings, async (other, against) => {
        let cpuBefore = cpuSeconds(pid);
        const rows = (what: string) => {
          const meter = new DaemonMeter();
          meter.note(pid, cpuBefore);
          cpuBefore = cpuSeconds(pid);
          return meter.rows(what);
        };
        return await use({ ours, other, against, rows });
      }),
  );
}

/** A server on a new mount, for as long as `use` takes, which gets the daemon's process id, too. */
export async function withOurServer<T>(
  world: World,
  settings: Readonly<Record<string, string>>,
  use: (server: PostgresServer, pid: number) => Promise<T>,
): Promise<T> {
  await using mount = await world.mount(await world.catalog(world.options.codecs[0]!));
  await using server = await world.startServer(mount.mountDir, settings);
  return await use(server, await mount.pid());
}

/** A server on what is compared with, made anew, for as long as `use` takes, and what that is. */
export async function withOtherServer<T>(
  world: World,
  settings: Readonly<Record<string, string>>,
  use: (server: PostgresServer, against: string) => Promise<T>,
): Promise<T> {
  const tree = await world.extractNew(world.options.codecs[0]!);
  try {
    await using rival = await openRival(world, tree);
    await using server = await world.startServer(rival.dirPath, settings);
    return await use(server, rival.name);
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

/** The tree itself, or a pass-through of it, whose `pg_wal` is an ordinary directory like ours. */
async function openRival(
  world: World,
  tree: string,
): Promise<Passthrough & { readonly name: string }> {
  if (world.options.against === "tree") {
    return { dirPath: tree, name: "extracted tree", [Symbol.asyncDispose]: async () => {} };
  }
  const walDir = world.newPath("wal");
  Deno.renameSync(`${tree}/pg_wal`, walDir);
  Deno.symlinkSync(walDir, `${tree}/pg_wal`);
  const passed = await mountPassthrough(world, tree);
  return {
    dirPath: passed.dirPath,
    name: await passthroughName(world),
    [Symbol.asyncDispose]: async () => {
      await passed[Symbol.asyncDispose]();
      await Deno.remove(walDir, { recursive: true });
    },
  };
}
