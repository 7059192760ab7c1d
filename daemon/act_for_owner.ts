/**
 * The rights that root's mounts and cleanups have: those of the user who owns what they are about.
 * Catalog, diff and mount belong to that user, who can lay out there what he likes, at any moment;
 * so what pbkfs does with them must be no more than he could do himself.
 *
 * @module
 */

import { type BackupRef, sourceOf } from "../backup/mod.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { accountOf, actAs } from "../ffi/credentials.ts";
import { systemLibc } from "../ffi/libc.ts";
import { ownerOfDirectory } from "../ffi/open_beneath.ts";
import { absolute, realPathOf } from "../ffi/real_path.ts";
import type { MountRequest } from "./protocol.ts";

/** A user, with the group that counts. */
type User = NonNullable<MountRequest["actFor"]>;

const ROOT = 0;

/**
 * For whom root mounts a backup. It is settled once, by the command, and not looked up again: who
 * owns the place where it is could show the daemon another owner later.
 *
 * @returns undefined if we are not root: then for ourselves.
 * @throws {PbkfsError} `CatalogUnreadable`; `PermissionDenied` if the backup is root's, but somebody
 * else could put another one in its place, which root would then mount with all its rights.
 */
export function userOf(backup: BackupRef): User | undefined {
  if (Deno.uid() !== ROOT) return undefined;
  const source = sourceOf(backup);
  const owner = source.owner(backup);
  if (owner.uid === ROOT) source.mustBeRootsAlone(backup);
  return owner;
}

/**
 * From now on this process has the rights of who the mount is for, if it is root's and he is not
 * root. Mounting and unmounting go on being done as root, see `asRoot`.
 */
export function actForOwnerOf({ actFor }: Pick<MountRequest, "actFor">): void {
  if (Deno.uid() === ROOT && actFor !== undefined) actForUser(actFor);
}

/**
 * The same for a diff alone, whose directory says whose it is.
 *
 * @returns The path to go on with: for root without links, so that it still means that directory.
 * @throws {PbkfsError} `PermissionDenied` if somebody's link leads to what is somebody else's.
 */
export function actForOwnerOfDiff(givenPath: string): string {
  if (Deno.uid() !== ROOT) return givenPath;
  const diffPath = realPathOf(absolute(givenPath));
  let owner: User;
  try {
    owner = ownerOfDirectory(systemLibc(), byteStringOf(diffPath));
  } catch {
    return diffPath; // Whoever looks for the diff next tells what is wrong with it.
  }
  actForUser(owner);
  return diffPath;
}

function actForUser(owner: User): void {
  if (owner.uid !== ROOT) actAs(accountOf(owner));
}
