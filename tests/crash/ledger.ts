/**
 * What clients know of their own transactions: the word that the server has to keep.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { PostgresServer } from "../../postgres/mod.ts";

/** Rows in each table that a session makes. */
export const MADE_ROWS = 400;
/** Rows that replace those of a table that is emptied. */
export const REFILL_ROWS = 200;

/** The last number that was sent, and the last one that was acknowledged. */
interface Progress {
  sent: number;
  acknowledged: number;
}

/** What happened to a table that a session made. */
type TableState = "making" | "made" | "dropping" | "dropped";

/** Everything that was sent and everything that was acknowledged, since the clone exists. */
export class Ledger {
  readonly writers: readonly Progress[];
  readonly refill: Progress = { sent: 0, acknowledged: 0 };
  readonly tables = new Map<number, TableState>();
  /** What must not change; found out at the beginning. */
  #untouched = "";

  constructor(writers: number) {
    this.writers = Array.from({ length: writers }, () => ({ sent: 0, acknowledged: 0 }));
  }

  /** How many transactions were acknowledged. */
  get acknowledged(): number {
    return this.refill.acknowledged + this.tables.size +
      this.writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** Makes the tables that the sessions write to, and looks at what they do not. */
  async begin(server: PostgresServer): Promise<void> {
    await server.query([
      `create table ledger(session int, id int, account int, payload text, digest text,
         primary key (session, id))`,
      "create index on ledger(account, id)",
      "create table refilled(n int)",
    ]);
    this.#untouched = await untouched(server);
  }

  /**
   * Looks whether the server has kept its word, and takes what it has as the new beginning.
   *
   * @throws {AssertionError} naming what is missing.
   */
  async check(server: PostgresServer): Promise<void> {
    await this.#checkWriters(server);
    await this.#checkRefill(server);
    await this.#checkTables(server);
    assert.equal(await untouched(server), this.#untouched, "what nobody wrote to is as it was");
  }

  async #checkWriters(server: PostgresServer): Promise<void> {
    for (const [session, progress] of this.writers.entries()) {
      const [count = 0, last = 0] = (await server.query(
        `select count(*), coalesce(max(id), 0) from ledger where session = ${session}`,
      )).split("|").map(Number);
      assert.equal(count, last, `session ${session} has all rows up to its last one`);
      within(last, progress, `rows of session ${session}`);
      progress.sent = progress.acknowledged = last;
    }
    const broken = await server.query(
      "select session, id from ledger where md5(payload) <> digest limit 5",
    );
    assert.equal(broken, "", "each row is what was written");
    const torn = await server.query(
      `select last.* from (select distinct on (account) account, session, id
         from ledger order by account, id desc) last
       join accounts on accounts.id = last.account
       where owner <> 's' || session || '-' || last.id limit 5`,
    );
    assert.equal(torn, "", "an account has what the last transaction on it wrote");
  }

  async #checkRefill(server: PostgresServer): Promise<void> {
    const [count = 0, low = 0, high = 0] = (await server.query(
      "select count(*), coalesce(min(n), 0), coalesce(max(n), 0) from refilled",
    )).split("|").map(Number);
    assert.equal(count, high === 0 ? 0 : REFILL_ROWS, "the refilled table is full");
    assert.equal(low, high, "it was filled by one transaction");
    within(high, this.refill, "the refill");
    this.refill.sent = this.refill.acknowledged = high;
  }

  async #checkTables(server: PostgresServer): Promise<void> {
    const found = new Set(
      (await server.query(
        "select substr(relname, 6) from pg_class where relname ~ '^made_\\d+$' and relkind = 'r'",
      )).split("\n").filter((name) => name !== "").map(Number),
    );
    for (const [number, state] of [...this.tables]) {
      if (state === "made") assert(found.has(number), `table made_${number} is there`);
      if (state === "dropped") assert(!found.has(number), `table made_${number} is not there`);
      if (found.has(number)) this.tables.set(number, "made");
      else this.tables.delete(number);
    }
    for (const number of found) {
      const sound = await server.query(
        `select count(*) from made_${number} where t = repeat(md5(i::text), 3)`,
      );
      assert.equal(Number(sound), MADE_ROWS, `rows of made_${number}`);
    }
  }
}

function within(found: number, { sent, acknowledged }: Progress, what: string): void {
  const range = `${what}: ${found}, acknowledged ${acknowledged}, sent ${sent}`;
  assert(found >= acknowledged, `Lost ${range}`);
  assert(found <= sent, `Invented ${range}`);
}

function untouched(server: PostgresServer): Promise<string> {
  return server.query(`select (select md5(string_agg(doc, '' order by id)) from toasty),
    (select sum(balance) from accounts), (select count(*) from accounts)`);
}
