/**
 * What writes much at once: a checkpoint of many dirty pages, an UPDATE of a whole table, VACUUM
 * FULL, CREATE INDEX.
 *
 * @module
 */

import type { PostgresServer } from "../postgres/mod.ts";
import { allInPairs, type PairedFigures } from "./support/pairs.ts";
import type { BenchOptions } from "./support/options.ts";
import type { Row } from "./support/report.ts";
import { touchAccounts } from "./support/run_pgbench.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { withOtherServer, withOurServer, withTwoServers } from "./support/two_servers.ts";
import type { World } from "./support/world.ts";

/** A new pgbench_accounts has 61 rows a page. */
const ROWS_A_PAGE = 61;

interface Turn {
  readonly checkpoint: number;
  readonly update: number;
  readonly vacuum: number;
  readonly index: number;
  readonly pages: number;
}

async function secondsOf(job: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await job();
  return (performance.now() - start) / 1000;
}

/** Pages written by checkpoints so far. */
async function pagesWritten(server: PostgresServer): Promise<number> {
  const isNew = server.installation.majorVersion >= 17;
  const [name, view] = isNew
    ? ["buffers_written", "pg_stat_checkpointer"]
    : ["buffers_checkpoint", "pg_stat_bgwriter"];
  return Number(await server.query(`select ${name} from ${view}`));
}

/** What VACUUM FULL and CREATE INDEX work on: the accounts themselves stay the backup's files. */
const COPY = "copied_accounts";

/** Makes pages of the accounts dirty, and writes them. @returns Seconds of the checkpoint, pages. */
async function dirtyAndWrite(
  server: PostgresServer,
  { dirtyPages }: Pick<BenchOptions, "dirtyPages">,
): Promise<Pick<Turn, "checkpoint" | "pages">> {
  // A row of every page is marked as deleted, and none is written: the transaction fails. That
  // makes each page dirty, once, and leaves the table as long as it was.
  const dirty = "begin; delete from pgbench_accounts " +
    `where aid % ${ROWS_A_PAGE} = 0 and aid <= ${dirtyPages * ROWS_A_PAGE}; rollback`;
  await server.query("checkpoint");
  const before = await pagesWritten(server);
  await server.query([dirty]);
  const checkpoint = await secondsOf(() => server.query("checkpoint"));
  return { checkpoint, pages: await pagesWritten(server) - before };
}

/** Seconds of each job. */
async function turn(server: PostgresServer, world: World): Promise<Record<keyof Turn, number>> {
  const { checkpoint, pages } = await dirtyAndWrite(server, world.options);
  const update = await secondsOf(() =>
    server.query(["update pgbench_accounts set abalance = abalance + 1", "checkpoint"])
  );
  // The next UPDATE gets the place of the rows that this one has left.
  await server.query(["vacuum pgbench_accounts", "checkpoint"]);
  const vacuum = await secondsOf(() => server.query([`vacuum full ${COPY}`, "checkpoint"]));
  const index = await secondsOf(() =>
    server.query([`create index made on ${COPY} (abalance, aid)`, "checkpoint"])
  );
  await server.query("drop index made");
  return { checkpoint, update, vacuum, index, pages };
}

/** Reads all pages, and makes what is written to besides. */
async function prepare(server: PostgresServer): Promise<void> {
  await touchAccounts(server);
  await server.query([`create table ${COPY} as select * from pgbench_accounts`, "checkpoint"]);
}

type AllFigures = Readonly<Record<string, PairedFigures>>;

function rowsOf(figures: AllFigures, against: string): Row[] {
  const row = (what: string, name: keyof Turn, aim: string): Row => ({
    what,
    against,
    unit: "s",
    figures: figures[name]!,
    aim,
  });
  const pages = figures["pages"]!.ours.median.toFixed(0);
  return [
    row(`checkpoint of ${pages} dirty pages`, "checkpoint", "≥ 0.9"),
    row("UPDATE of a whole table, and a checkpoint", "update", "≥ 0.85"),
    row("VACUUM FULL, and a checkpoint", "vacuum", "≥ 0.85"),
    row("CREATE INDEX, and a checkpoint", "index", "≥ 0.9"),
  ];
}

export const scenario: Scenario = {
  name: "bulk_writes",
  async measure(world): Promise<Row[]> {
    const { pairs, dirtyPages } = world.options;
    // Room for all dirty pages, so that only the checkpoint writes them.
    const bufferMb = Math.ceil(dirtyPages / 128 * 1.3) + 64;
    const settings = { shared_buffers: `${bufferMb}MB`, maintenance_work_mem: "256MB" };
    const writesFirst = async (server: PostgresServer) => {
      await touchAccounts(server);
      return { ...await dirtyAndWrite(server, world.options) };
    };
    const first = await allInPairs({
      ours: () => withOurServer(world, settings, writesFirst),
      other: () => withOtherServer(world, settings, writesFirst),
    }, { pairs, warmUp: false, areTimes: true });
    const pages = first["pages"]!.ours.median.toFixed(0);
    return await withTwoServers(world, settings, async (servers) => {
      const { ours, other, against } = servers;
      for (const server of [ours, other]) await prepare(server);
      servers.rows("");
      // In the turn that does not count, pages come into the diff.
      const figures = await allInPairs({
        ours: () => turn(ours, world),
        other: () => turn(other, world),
      }, { pairs, areTimes: true });
      return [
        {
          what: `checkpoint of ${pages} dirty pages, each time of a new clone`,
          against,
          unit: "s",
          figures: first["checkpoint"]!,
        },
        ...rowsOf(figures, against),
        ...servers.rows("all four, all turns"),
      ];
    });
  },
};

if (import.meta.main) await main([scenario]);
