/**
 * How many requests a transaction of pgbench makes, by operation. A server that has been running
 * for a while should hardly ask: what is left has to have a reason.
 *
 * @module
 */

import type { PostgresServer } from "../postgres/mod.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { countsSince, type RequestCounts, RequestLog, sumOf } from "./support/request_counts.ts";
import { runPgbench, touchAccounts } from "./support/run_pgbench.ts";
import { main, type Scenario } from "./support/scenario.ts";
import type { World } from "./support/world.ts";

interface Kind {
  readonly what: string;
  readonly args: readonly string[];
  readonly commit: "on" | "off";
  /** Whether a checkpoint is a part of it. */
  readonly writes: boolean;
}

const KINDS: readonly Kind[] = [
  { what: "only SELECT", args: ["-S"], commit: "on", writes: false },
  { what: "TPC-B", args: [], commit: "on", writes: true },
  { what: "TPC-B, synchronous_commit=off", args: [], commit: "off", writes: true },
];

/** What one turn asked for, a transaction. */
type Turn = RequestCounts;

async function turn(
  world: World,
  { server, log }: { readonly server: PostgresServer; readonly log: RequestLog },
  { args, writes }: Kind,
): Promise<Turn> {
  const before = await log.count();
  const { transactions } = await runPgbench(server, world.options, args);
  if (writes) await server.query("checkpoint");
  const counts = countsSince(before, await log.count());
  return new Map(counts.entries().map(([name, count]) => [name, count / transactions]));
}

function rowsOf(what: string, turns: readonly Turn[]): Row[] {
  const row = (name: string, figureOf: (turn: Turn) => number): Row => ({
    what: `${what}: ${name}`,
    unit: "a transaction",
    alone: spread(turns.map(figureOf)),
    runs: turns.length,
  });
  const names = [...new Set(turns.flatMap((turn) => [...turn.keys()]))].sort();
  return [
    row("all requests", sumOf),
    ...names.map((name) => row(name, (turn) => turn.get(name) ?? 0)),
  ];
}

export const scenario: Scenario = {
  name: "requests",
  async measure(world): Promise<Row[]> {
    const { pairs, warmUp, codecs: [codec] } = world.options;
    await using mount = await world.mount(await world.catalog(codec!), { extra: ["--trace"] });
    await using server = await world.startServer(mount.mountDir);
    const measured = { server, log: new RequestLog(mount) };
    const rows: Row[] = [];
    for (const kind of KINDS) {
      await server.query([
        `alter system set synchronous_commit = ${kind.commit}`,
        "select pg_reload_conf()",
      ]);
      await touchAccounts(server);
      await server.query("checkpoint");
      const turns: Turn[] = [];
      for (let run = warmUp ? -1 : 0; run < pairs; run++) {
        const counts = await turn(world, measured, kind);
        if (run >= 0) turns.push(counts);
      }
      rows.push(...rowsOf(kind.what, turns));
    }
    const meter = new DaemonMeter();
    meter.note(await mount.pid());
    return [...rows, ...meter.rows("all turns, each request logged")];
  },
};

if (import.meta.main) await main([scenario]);
