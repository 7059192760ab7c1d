/**
 * Whose rights root's mounts and cleanups have: those of who owns what they are about. Catalog, diff
 * and mount belong to that user, who can lay out there what he likes, at any moment; so what pbkfs
 * does with them must be no more than he could do himself.
 *
 * @module
 */

import { ownerOf } from "../backup/mod.ts";
import { accountOf, actAs } from "../ffi/credentials.ts";
import { systemLibc } from "../ffi/libc.ts";
import { ownerOfDirectory } from "../ffi/open_beneath.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import type { MountRequest } from "./protocol.ts";

/**
 * From now on this process has the rights of the owner of the backup, if it is root's and he is not
 * root. Mounting and unmounting go on being done as root, see `asRoot`.
 *
 * @throws {PbkfsError} `CatalogUnreadable`.
 */
export function actForOwnerOf({ spec, diffPath }: MountRequest): void {
  if (Deno.uid() !== 0) return;
  let owner: { readonly uid: number; readonly gid: number };
  try {
    owner = ownerOf(spec);
  } catch (error) {
    // A dead mount is to be taken away even if its catalog has gone: its diff is the owner's, too.
    try {
      owner = ownerOfDirectory(systemLibc(), byteStringOf(diffPath));
    } catch {
      throw error;
    }
  }
  actForUser(owner);
}

/** The same for a diff alone, whose directory says whose it is. */
export function actForOwnerOfDiff(diffPath: string): void {
  if (Deno.uid() !== 0) return;
  let owner: { readonly uid: number; readonly gid: number };
  try {
    owner = ownerOfDirectory(systemLibc(), byteStringOf(Deno.realPathSync(diffPath)));
  } catch {
    return; // Whoever looks for the diff next tells what is wrong with it.
  }
  actForUser(owner);
}

function actForUser(owner: { readonly uid: number; readonly gid: number }): void {
  if (owner.uid !== 0) actAs(accountOf(owner));
}
