/**
 * Runs pgbench against a server.
 *
 * @module
 */

import type { PostgresServer } from "../../postgres/mod.ts";
import type { BenchOptions } from "./options.ts";

/** What a run of pgbench printed at its end. */
export interface PgbenchRun {
  readonly transactions: number;
  readonly perSecond: number;
}

/** Runs in which no transaction ended, one after another, until it is given up. */
const EMPTY_RUNS_MAX = 6;

/**
 * Runs transactions for as long and with as many clients as the options say.
 *
 * The time begins before the clients connect. On a busy machine it can be over by then, and nothing
 * tells of a speed: so it is tried again, for twice as long.
 */
export async function runPgbench(
  server: Pick<PostgresServer, "run">,
  { clients, seconds }: Pick<BenchOptions, "clients" | "seconds">,
  args: readonly string[] = [],
): Promise<PgbenchRun> {
  for (let run = 0; run < EMPTY_RUNS_MAX; run++) {
    const { stdout } = await server.run("pgbench", [
      ...["-n", "-M", "prepared", "-c", `${clients}`, "-j", "2", "-T", `${seconds * 2 ** run}`],
      ...args,
    ]);
    const transactions = numberIn(stdout, /^number of transactions actually processed: (\d+)/m);
    if (transactions === 0) continue;
    return { transactions, perSecond: numberIn(stdout, /^tps = ([\d.]+)/m) };
  }
  throw new Error(`pgbench has run ${EMPTY_RUNS_MAX} times, and no transaction has ended`);
}

/** Reads all pages of the accounts and of their index; each other table is small. */
export async function touchAccounts(server: PostgresServer): Promise<void> {
  // To count, the index alone would do: only a sum needs the table, and only without it the index.
  await server.query("select sum(abalance) from pgbench_accounts");
  await server.query(
    "begin; set local enable_seqscan = off; " +
      "select count(*) from pgbench_accounts; commit",
  );
}

function numberIn(printed: string, pattern: RegExp): number {
  const found = pattern.exec(printed)?.[1];
  if (found === undefined) throw new Error(`pgbench printed nothing like ${pattern}: ${printed}`);
  return Number(found);
}
