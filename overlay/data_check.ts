/**
 * Holds the data files of a diff against what its metadata points at.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import type { DataId } from "./metadata_store.ts";
import type { StoredState } from "./stored_state.ts";

/**
 * Deletes data files that nothing points at: a crash came between making them and the commit, or
 * between the commit and deleting them.
 *
 * @returns How many were deleted.
 * @throws {PbkfsError} `DiffDamaged` if a file is missing that the metadata points at.
 */
export function checkDataFiles(directory: string, state: StoredState): number {
  const missing = new Set<DataId>();
  for (const { dataId } of state.contents) missing.add(dataId);
  let deleted = 0;
  for (const { name } of Deno.readDirSync(directory)) {
    if (missing.delete(parseInt(name, 16) as DataId)) continue;
    Deno.removeSync(`${directory}/${name}`);
    deleted++;
  }
  if (missing.size === 0) return deleted;
  throw new PbkfsError("DiffDamaged", {
    what: `${missing.size} data files are missing from "${directory}"`,
    todo: "Restore the diff from a copy, or start with an empty diff directory.",
  });
}
