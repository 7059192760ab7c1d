/**
 * Errors about what lies in a store.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../errors.ts";
import { printable } from "../../ffi/bytes.ts";
import type { StoreOrigin } from "./base_tree.ts";
import { StoreRefusal } from "./store_directory.ts";

const VALIDATE =
  "Check the backup with pg_probackup validate, or a data directory with pg_verifybackup; " +
  "then choose one that is sound.";

/** The store contradicts itself, or its checksums. */
export function storeDamaged(what: string, cause?: unknown): PbkfsError {
  return new PbkfsError("StoreDamaged", { what, todo: VALIDATE, cause });
}

/** A block or file of the tree cannot be had from where it should be. */
export function originDamaged(of: StoreOrigin, why: string, cause?: unknown): PbkfsError {
  const where = of.block === undefined ? "" : `block ${of.block} of `;
  const what = `Cannot read ${where}"${printable(of.path)}": in backup ${of.backupId} ${why}`;
  return storeDamaged(what, cause);
}

/** What a file of the catalog failed with, that says itself where it is. */
export function catalogUnreadable(path: string, error: unknown): PbkfsError {
  const denied = isDenied(error);
  const what = error instanceof StoreRefusal
    ? `"${path}" ${error.message}`
    : `Cannot read "${path}": ${error instanceof Error ? error.message : error}`;
  return new PbkfsError(denied ? "PermissionDenied" : "CatalogUnreadable", {
    what,
    todo: denied
      ? `Run pbkfs as the user who owns the catalog (here: ${path}).`
      : "Look at the file; pg_probackup show may tell more.",
    cause: error,
  });
}

/** Whether the system says that we may not. */
export function isDenied(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    (error instanceof PbkfsError && error.errno === ERRNO.EACCES);
}

/** Whether the system says that there is nothing. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof PbkfsError && error.errno === ERRNO.ENOENT);
}
