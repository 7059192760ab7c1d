/**
 * Gathers the WAL that a backup needs to become consistent, once, for a new diff.
 *
 * @module
 */

import { type ChainSpec, copyWal, planWal, type StoredWal } from "../backup/mod.ts";
import type { DiffDirectory } from "../binding/mod.ts";

/** Copies it to where the diff begins; it is few files. */
export async function fillWal(options: {
  readonly spec: ChainSpec;
  /** What the backup itself holds. */
  readonly walFiles: readonly StoredWal[];
  readonly diff: DiffDirectory;
  readonly owner: { readonly uid: number; readonly gid: number };
}): Promise<void> {
  const plan = await planWal(options.spec, options);
  await copyWal(plan, options.diff.newWalPath, options.owner);
}
