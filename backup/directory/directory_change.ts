/**
 * The check that a data directory is still what it was: by the files that a server writes when it
 * starts, and before it changes any other.
 *
 * @module
 */

import { StoreDirectory } from "../tree/store_directory.ts";
import { isMissing } from "../tree/store_error.ts";
import type { DirectorySpec, WatchedFile } from "./directory_spec.ts";
import { PID_FILE } from "./running_server.ts";

const WATCHED = [PID_FILE, "backup_label", "PG_VERSION", "global/pg_control"];

/** These files as they are. @throws what the system says, if they cannot be looked at. */
export function watchedFiles(dirPath: string): WatchedFile[] {
  return WATCHED.map((path) => {
    const slash = path.lastIndexOf("/");
    using directory = StoreDirectory.open(
      slash < 0 ? dirPath : `${dirPath}/${path.slice(0, slash)}`,
    );
    try {
      const { sizeBytes, modifiedAt } = directory.look(path.slice(slash + 1));
      return { path, sizeBytes, modifiedAt };
    } catch (error) {
      if (isMissing(error)) return { path };
      throw error;
    }
  });
}

/** @returns What has changed, as a sentence without its full stop; undefined if nothing has. */
export function changeOfDirectory({ dirPath, watched }: DirectorySpec): string | undefined {
  let now: WatchedFile[];
  try {
    now = watchedFiles(dirPath);
  } catch (error) {
    return `"${dirPath}" cannot be looked at any more: ${(error as Error).message}`;
  }
  for (const [at, is] of now.entries()) {
    const was = watched[at];
    if (was?.sizeBytes === is.sizeBytes && was?.modifiedAt === is.modifiedAt) continue;
    if (is.path === PID_FILE && is.sizeBytes !== undefined) {
      return `A server was started on "${dirPath}": ${PID_FILE} is there`;
    }
    return `"${dirPath}/${is.path}" has changed`;
  }
  return undefined;
}
