/**
 * Errors about what lies in a store.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { printable } from "../ffi/bytes.ts";
import type { StoreOrigin } from "./base_tree.ts";

const VALIDATE = "Run pg_probackup validate, then choose a backup that it calls OK.";

/** The store contradicts itself, or its checksums. */
export function storeDamaged(what: string, cause?: unknown): PbkfsError {
  return new PbkfsError("StoreDamaged", { what, todo: VALIDATE, cause });
}

/** A block or file of the tree cannot be had from where it should be. */
export function originDamaged(of: StoreOrigin, why: string, cause?: unknown): PbkfsError {
  const place = of.block === undefined ? "" : `block ${of.block} of `;
  const what = `Cannot read ${place}"${printable(of.path)}": in backup ${of.backupId} ${why}`;
  return storeDamaged(what, cause);
}
