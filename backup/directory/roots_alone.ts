/**
 * The check that nobody but root could put another directory in the place of root's own.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { StoreDirectory } from "../tree/store_directory.ts";
import { catalogUnreadable } from "../tree/store_error.ts";

const ROOT = 0;
/** Write permission of a group and of all others, and what keeps them from each other's files. */
const WRITTEN_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * Checks that nobody but root could put another directory in the place of this one, which root
 * would then mount with all its rights.
 *
 * @param dirPath Absolute, without symbolic links.
 * @throws {PbkfsError} `PermissionDenied` naming a directory above it.
 */
export function mustBeRootsAlone(dirPath: string): void {
  for (let end = dirPath.lastIndexOf("/"); end > 0; end = dirPath.lastIndexOf("/", end - 1)) {
    const path = dirPath.slice(0, end);
    const who = changerOf(path);
    if (who === undefined) continue;
    throw new PbkfsError("PermissionDenied", {
      what: `The data directory "${dirPath}" belongs to root, but it lies in "${path}", ${who}`,
      todo: "Give the data directory to whom the clone is for, or move it to a place of root's.",
    });
  }
}

/** Who else can rename what lies in a directory. */
function changerOf(path: string): string | undefined {
  try {
    using directory = StoreDirectory.open(path);
    const { owner: { uid }, mode } = directory;
    if (uid !== ROOT) return `which belongs to user ${uid}`;
    const isShared = (mode & WRITTEN_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
    return isShared ? "to which others may write" : undefined;
  } catch (error) {
    throw catalogUnreadable(path, error);
  }
}
