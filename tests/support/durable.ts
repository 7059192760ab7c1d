/**
 * Servers whose acknowledged commits must survive a crash. The samples were made without syncs, and
 * a backup takes its settings along.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { PostgresServer } from "../../postgres/mod.ts";

/** What every test that takes a commit for durable starts its server with. */
export const DURABLE: Readonly<Record<string, string>> = {
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
};

/** Fails if the server does not sync what it acknowledges. */
export async function mustBeDurable(server: PostgresServer): Promise<void> {
  assert.deepEqual(await shownBy(server), DURABLE, "the server syncs what it acknowledges");
}

/** The settings of {@link DURABLE}, as the server has them. */
export async function shownBy(server: PostgresServer): Promise<Record<string, string>> {
  const shown = Object.keys(DURABLE).map((name) =>
    `select '${name}=' || current_setting('${name}')`
  );
  const rows = await server.query(shown.join(" union all "));
  return Object.fromEntries(rows.split("\n").map((row) => row.split("=")));
}
