/**
 * Opens a chain as the tree that a restore would write.
 *
 * @module
 */

import { systemLibc } from "../../../ffi/libc.ts";
import type { OpenOptions } from "../../tree/base.ts";
import { ChainTree } from "./chain_tree.ts";
import type { ChainSpec } from "../catalog/chain_spec.ts";
import type { FileLists } from "../lists/file_lists.ts";
import { ownerOf } from "../catalog/open_instance.ts";
import { readFileLists } from "../lists/read_lists.ts";

/** What opening a chain takes. */
export interface OpenChainOptions extends OpenOptions {
  /** Those of the chain, if they have been read. From then on they are this tree's alone. */
  readonly lists?: FileLists | undefined;
}

/**
 * Reads the file lists of a chain. No data is read: files are opened when they are.
 *
 * The tree has what `pg_probackup restore` writes, with these exceptions. Tablespaces are in
 * `pbkfs_tablespaces`, which is `BaseTree.unlisted`, external directories in
 * `external_directories`. The lines of {@link TreeLayout.settings} are at the end of
 * `postgresql.auto.conf`. For backups whose WAL is in the archive a restore adds `recovery.signal`
 * and a `restore_command`; the tree does not, since whoever serves it puts the WAL needed into
 * `pg_wal`, see `planWal`.
 *
 * @throws {PbkfsError} `StoreDamaged`, `CodecUnsupported`, `VersionUnsupported` or
 * `PermissionDenied`.
 */
// deno-lint-ignore require-await -- what it throws comes as a rejection
export async function openChain(spec: ChainSpec, options: OpenChainOptions): Promise<ChainTree> {
  return new ChainTree(spec, {
    lists: options.lists ?? readFileLists(spec),
    owner: ownerOf(spec),
    libc: options.libc ?? systemLibc(),
    codecs: options.codecs,
    layout: options.layout,
    descriptorsMax: options.descriptorsMax ?? 256,
    indexBudgetBytes: options.indexBudgetBytes ?? 64 * 1024 * 1024,
    alarm: options.alarm,
  });
}
