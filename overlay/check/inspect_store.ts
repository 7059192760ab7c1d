/**
 * Looks at a metadata store that nobody has open, and leaves it as it is.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { checkGeneration, type ExpectedGeneration } from "../store/generation_record.ts";
import { mustBeWhole, readState, storeError, withStoredState } from "../store/sqlite_store.ts";
import { checkRows } from "../store/store_checks.ts";
import { StoredState } from "../store/stored_state.ts";

/** What is found in a store. */
export interface InspectedStore {
  /** Of rows that cannot be, none is in it. undefined if none of the store can be read. */
  readonly state: StoredState | undefined;
  /** What is wrong, a clause or sentence each. */
  readonly damages: readonly string[];
}

/**
 * Tells what a store holds, and what is wrong with it.
 *
 * @param generation What the diff's binding tells; undefined if it tells none.
 * @throws {PbkfsError} `DiffVersion` if a newer pbkfs made it.
 */
export function inspectStore(
  path: string,
  generation: number | undefined,
): Promise<InspectedStore> {
  return Promise.try(inspectSqlite, path, generation);
}

/** SQLite answers at once. */
function inspectSqlite(path: string, generation: number | undefined): InspectedStore {
  const damages: string[] = [];
  const survive = (body: () => void) => {
    try {
      body();
    } catch (error) {
      if (error instanceof PbkfsError && error.code === "DiffVersion") throw error;
      damages.push(storeError(error, path).message);
    }
  };
  let expected: ExpectedGeneration | undefined;
  survive(() => expected = mustBeWhole(path, { generation, mustExist: true }));
  let state: StoredState | undefined;
  try {
    const found = withStoredState(path, (database, version) => {
      if (version > 0) survive(() => checkRows(database, path, version));
      state = new StoredState(readState(database, { version, isSound: false }));
      return database.prepare("PRAGMA integrity_check(100)").all();
    });
    if (state !== undefined && expected !== undefined) {
      checkGeneration(path, state.facts.generation, expected);
    }
    const lines = found.map((row) => String(Object.values(row)[0])).filter((line) => line !== "ok");
    damages.push(...lines.map((line) => `SQLite says of "${path}": ${line}`));
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "DiffVersion") throw error;
    // That there is none is known already.
    if (damages.length === 0) damages.push(storeError(error, path).message);
  }
  return { state, damages };
}
