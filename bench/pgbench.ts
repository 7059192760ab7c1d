/**
 * pgbench on a mount and on the extracted tree: only reading, TPC-B, TPC-B without waiting for the
 * disk at commits, and the making of its tables.
 *
 * @module
 */

import type { PostgresServer } from "../postgres/mod.ts";
import { inPairs, type Measure } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { runPgbench, touchAccounts } from "./support/run_pgbench.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { type TwoServers, withTwoServers } from "./support/two_servers.ts";
import type { World } from "./support/world.ts";

interface Kind {
  readonly what: string;
  readonly args: readonly string[];
  readonly aim: string;
}

const KINDS: readonly Kind[] = [
  { what: "pgbench, only SELECT", args: ["-S"], aim: "≥ 0.97" },
  { what: "pgbench, TPC-B", args: [], aim: "≥ 0.97" },
  { what: "pgbench, TPC-B, synchronous_commit=off", args: [], aim: "≥ 0.97" },
];

async function measureKind(world: World, servers: TwoServers, kind: Kind): Promise<Row[]> {
  const { pairs, warmUp } = world.options;
  const isLazy = kind.what.includes("synchronous_commit");
  const both = [servers.ours, servers.other];
  for (const server of both) {
    await server.query([
      `alter system set synchronous_commit = ${isLazy ? "off" : "on"}`,
      "select pg_reload_conf()",
    ]);
    // So that all pages have been touched, and none waits for a checkpoint.
    await touchAccounts(server);
    await server.query("checkpoint");
  }
  servers.rows("");
  const measure = (server: PostgresServer): Measure => async () =>
    (await runPgbench(server, world.options, kind.args)).perSecond;
  const figures = await inPairs({
    ours: measure(servers.ours),
    other: measure(servers.other),
  }, { pairs, warmUp });
  const { what, aim } = kind;
  return [
    { what, against: servers.against, unit: "tps", figures, aim },
    ...servers.rows(what),
  ];
}

async function measureInit(world: World, servers: TwoServers): Promise<Row[]> {
  const { initScale, pairs, warmUp } = world.options;
  const make = (server: PostgresServer): Measure => async () => {
    await server.query(["create database made", "checkpoint"]);
    const start = performance.now();
    await server.run("pgbench", ["-i", "-q", "-s", `${initScale}`, "made"]);
    await server.query("checkpoint");
    const seconds = (performance.now() - start) / 1000;
    await server.query(["drop database made", "checkpoint"]);
    return seconds;
  };
  servers.rows("");
  const figures = await inPairs({
    ours: make(servers.ours),
    other: make(servers.other),
  }, { pairs, warmUp, areTimes: true });
  const what = `pgbench -i -s ${initScale}, and a checkpoint`;
  return [
    { what, against: servers.against, unit: "s", figures, aim: "≥ 0.9" },
    ...servers.rows(what),
  ];
}

export const scenario: Scenario = {
  name: "pgbench",
  measure: (world) =>
    withTwoServers(world, {}, async (servers) => {
      const rows: Row[] = [];
      for (const kind of KINDS) rows.push(...await measureKind(world, servers, kind));
      rows.push(...await measureInit(world, servers));
      return rows;
    }),
};

if (import.meta.main) await main([scenario]);
