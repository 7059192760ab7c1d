/**
 * For whom root works when it looks into a catalog.
 *
 * @module
 */

import { type FileOwner, StoreDirectory } from "../../tree/store_directory.ts";

const ROOT = 0;

/**
 * The user who can change what a catalog says of an instance: who owns its directory, or, where that
 * is root's, one above it up to the catalog's own.
 *
 * @param catalogPath Absolute, without symbolic links.
 * @returns undefined if that is root alone.
 */
export function catalogUser(catalogPath: string, instance: string): FileOwner | undefined {
  const backups = `${catalogPath}/backups`;
  return [`${backups}/${instance}`, backups, catalogPath].map(ownerIfAny)
    .find((owner) => owner !== undefined && owner.uid !== ROOT);
}

/** What cannot be opened is told by who has to read it. */
function ownerIfAny(path: string): FileOwner | undefined {
  try {
    using directory = StoreDirectory.open(path, { mayBeLink: true });
    const { uid, gid } = directory.owner;
    return { uid, gid };
  } catch {
    return undefined;
  }
}
