/**
 * The modes that a restore leaves behind, which are not always those of the list.
 *
 * @module
 */

import { TYPE } from "../../../ffi/file_type.ts";
import type { FileLists } from "./file_lists.ts";
import { UNCHANGED } from "./member_files.ts";
import type { Row } from "../../tree/path_list.ts";

const SET_USER_ID = 0o4000;
const SET_GROUP_ID = 0o2000;
const GROUP_EXECUTE = 0o010;

/**
 * The st_mode of a row after a restore by the owner of the server, who is not root.
 *
 * A directory is made with its mode, of which mkdir leaves out set-user-ID and set-group-ID. A file
 * gets all of its mode first and its bytes then, and that write clears both as every write does. So
 * only empty files keep them. The sticky bit stays. A umask takes nothing away here: it is the
 * business of who restores.
 *
 * @see create_data_directories and restore_files in pg_probackup, src/dir.c and src/restore.c
 */
export function restoredMode(lists: FileLists, row: Row): number {
  const mode = lists.modes[row]!;
  if ((mode & (SET_USER_ID | SET_GROUP_ID)) === 0) return mode;
  if ((mode & TYPE.mask) === TYPE.directory) return mode & ~(SET_USER_ID | SET_GROUP_ID);
  if (!isWritten(lists, row)) return mode;
  // Without the right to execute, set-group-ID stands for something else, and stays.
  return mode & ~(SET_USER_ID | ((mode & GROUP_EXECUTE) === 0 ? 0 : SET_GROUP_ID));
}

/** Whether there are bytes to write: in dest or, if it says that nothing has changed, before it. */
function isWritten({ members }: FileLists, row: Row): boolean {
  const sizes = members.map((files) => files.storedSizeBytes(row));
  return (sizes.findLast((size) => size !== UNCHANGED) ?? 0) > 0;
}
