/**
 * Several sessions that write to a clone in all the ways that matter to a file system.
 *
 * @module
 */

import type { PostgresServer } from "../../postgres/mod.ts";
import { DURABLE } from "../support/durable.ts";
import type { Random } from "../support/random.ts";
import type { Identity } from "../support/users.ts";
import { WAL_SEGMENT_MB } from "../support/samples.ts";
import { type Ledger, MADE_ROWS, REFILL_ROWS } from "./ledger.ts";
import { PsqlSession, SessionEnded } from "./session.ts";

/** So that much is written to the mount, often, and not only to the WAL. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  ...DURABLE,
  shared_buffers: "1MB",
  max_wal_size: `${4 * WAL_SEGMENT_MB}MB`,
  min_wal_size: `${2 * WAL_SEGMENT_MB}MB`,
  checkpoint_timeout: "30s",
  bgwriter_delay: "10ms",
  autovacuum_naptime: "1s",
  autovacuum_vacuum_cost_delay: "0",
  // What a backend does when the file system goes is our business, not the postmaster's.
  restart_after_crash: "off",
  max_connections: "20",
};

/** How many sessions write rows. */
export const WRITERS = 3;

/** Sessions at work, until the server is gone or they are told to stop. */
export class Workload {
  readonly #sessions: PsqlSession[] = [];
  readonly #work: Promise<void>[] = [];
  readonly #ended: string[] = [];
  #stops = false;

  constructor(server: PostgresServer, options: {
    readonly user: Identity;
    readonly ledger: Ledger;
    readonly random: Random;
  }) {
    const { user, ledger, random } = options;
    const begin = (step: (session: PsqlSession) => Promise<void>) => {
      const session = new PsqlSession(server, user);
      this.#sessions.push(session);
      this.#work.push(this.#repeat(session, step));
    };
    for (let at = 0; at < WRITERS; at++) {
      begin((session) => writeRow(session, at, ledger, random));
    }
    begin((session) => changeTables(session, ledger, random));
    begin(async (session) => {
      await pause(random.between(50, 700));
      await session.ask("checkpoint;");
    });
  }

  /** What the sessions said that have ended by themselves. */
  get ended(): readonly string[] {
    return this.#ended;
  }

  /** Settles when one of them has ended by itself. */
  async untilOneEnds(): Promise<void> {
    while (this.#ended.length === 0 && !this.#stops) await pause(10);
  }

  /** Ends all sessions, in the middle of what they do. */
  async stop(): Promise<void> {
    this.#stops = true;
    await Promise.all(this.#sessions.map((session) => session.close()));
    await Promise.all(this.#work);
  }

  async #repeat(
    session: PsqlSession,
    step: (session: PsqlSession) => Promise<void>,
  ): Promise<void> {
    try {
      while (!this.#stops) await step(session);
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error;
      if (!this.#stops) this.#ended.push(error.message);
    }
  }
}

/** A new row, and a row of the base that tells of it, in one transaction. */
async function writeRow(
  session: PsqlSession,
  writer: number,
  ledger: Ledger,
  random: Random,
): Promise<void> {
  const progress = ledger.writers[writer] as Ledger["writers"][number];
  const id = ++progress.sent;
  const account = random.between(0, 2500) * WRITERS + writer;
  // Texts of some kilobytes go to the TOAST table.
  const pieces = random.chance(0.2) ? random.between(80, 400) : random.between(1, 20);
  await session.ask(
    `with made as (select string_agg(md5(random()::text || i), '') payload
       from generate_series(1, ${pieces}) i),
     added as (insert into ledger select ${writer}, ${id}, ${account}, payload, md5(payload)
       from made)
     update accounts set owner = 's${writer}-${id}' where id = ${account};`,
  );
  progress.acknowledged = id;
}

/** Makes, empties, rebuilds and drops tables. */
async function changeTables(session: PsqlSession, ledger: Ledger, random: Random): Promise<void> {
  const { tables, refill } = ledger;
  switch (random.between(0, 9)) {
    case 0:
    case 1:
    case 2: {
      const number = Math.max(0, ...tables.keys()) + 1;
      tables.set(number, "making");
      await session.ask(`begin;
        create table made_${number} as
          select i, repeat(md5(i::text), 3) t from generate_series(1, ${MADE_ROWS}) i;
        create unique index on made_${number}(i);
        commit;`);
      tables.set(number, "made");
      return;
    }
    case 3:
    case 4: {
      const made = [...tables].filter(([, state]) => state === "made");
      if (made.length < 3) return;
      const [number] = random.pick(made);
      tables.set(number, "dropping");
      await session.ask(`drop table made_${number};`);
      tables.set(number, "dropped");
      return;
    }
    case 5:
    case 6: {
      const n = ++refill.sent;
      await session.ask(`begin; truncate refilled;
        insert into refilled select ${n} from generate_series(1, ${REFILL_ROWS}); commit;`);
      refill.acknowledged = n;
      return;
    }
    default:
      await session.ask(random.pick([
        "vacuum ledger;",
        "vacuum full refilled;",
        "reindex table ledger;",
        "delete from shrink where ctid in (select ctid from shrink limit 300);",
        "delete from shrink where ctid in (select max(ctid) from shrink); vacuum shrink;",
        "update shrink set i = i where ctid in (select ctid from shrink limit 200);",
        "vacuum (analyze) accounts;",
        "select pg_switch_wal();",
      ]));
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
