/**
 * Opens a chain as the tree that a restore would write.
 *
 * @module
 */

import type { ByteString } from "../../../ffi/bytes.ts";
import type { Libc } from "../../../ffi/libc.ts";
import { systemLibc } from "../../../ffi/libc.ts";
import type { BaseEntry, BaseTree, EntryIndex } from "../../tree/base_tree.ts";
import { ChainTree } from "./chain_tree.ts";
import type { ChainSpec } from "../catalog/chain_spec.ts";
import type { Codecs } from "../../tree/codecs.ts";
import type { Counters } from "../../tree/counters.ts";
import type { FileLists } from "../lists/file_lists.ts";
import { ownerOf } from "../catalog/open_instance.ts";
import { readFileLists } from "../lists/read_lists.ts";
import type { StoreAlarm } from "../../tree/store_alarm.ts";

/** How a tree is laid out where a restore leaves a choice. */
export interface TreeLayout {
  /** Where the tree will be seen: tablespaces are links into it. */
  readonly mountPath: ByteString;
  /** The time of the restore, in milliseconds since 1970. */
  readonly restoredAt: number;
  /** Lines appended to `postgresql.auto.conf`. */
  readonly settings: readonly string[];
  /** Makes `pg_wal` a symbolic link to this, and leaves out what is stored below it. */
  readonly walLink?: ByteString;
}

/** What opening a chain takes. */
export interface OpenOptions {
  /** The system's own if left out. */
  readonly libc?: Libc;
  readonly layout: TreeLayout;
  readonly codecs: Codecs;
  /** Those of the chain, if they have been read. From then on they are this tree's alone. */
  readonly lists?: FileLists | undefined;
  /** Stored files open at a time; a single plan may need more. 256 if left out. */
  readonly descriptorsMax?: number;
  /** Memory for page indexes, 8 bytes a block; 64 MiB if left out. */
  readonly indexBudgetBytes?: number;
  /** While it is on, no read is planned. */
  readonly alarm?: StoreAlarm;
}

/** A WAL file inside a backup. */
export interface StoredWal {
  /** Without directories. */
  readonly name: ByteString;
  /** In the store. */
  readonly path: ByteString;
  readonly sizeBytes: number;
  /** Permission bits that a restore gives it. */
  readonly mode: number;
}

/** A chain as a tree, with what else is known of it. */
export interface Base extends BaseTree {
  readonly spec: ChainSpec;
  /** All entries, made at the first call: for who looks at each of them. */
  readonly entries: readonly BaseEntry[];
  /** Mode of the data directory itself, which has no entry. */
  readonly rootMode: number;
  /** Who owns the backup, and by default the tree. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly counters: Counters;
  readonly libc: Libc;
  readonly codecs: Codecs;
  /** What dest stores below `pg_wal`, also if the tree has a link there. Sorted by name. */
  readonly walFiles: readonly StoredWal[];
  /** The entry with a path, if there is one. */
  find(path: ByteString): EntryIndex | undefined;
}

/**
 * Reads the file lists of a chain. No data is read: files are opened when they are.
 *
 * The tree has what `pg_probackup restore` writes, with these exceptions. Tablespaces are in
 * `pbkfs_tablespaces`, which is {@link BaseTree.unlisted}, external directories in
 * `external_directories`. The lines of {@link TreeLayout.settings} are at the end of
 * `postgresql.auto.conf`. For backups whose WAL is in the archive a restore adds `recovery.signal`
 * and a `restore_command`; the tree does not, since whoever serves it puts the WAL needed into
 * `pg_wal`, see `planWal`.
 *
 * @throws {PbkfsError} `StoreDamaged`, `CodecUnsupported`, `VersionUnsupported` or
 * `PermissionDenied`.
 */
// deno-lint-ignore require-await -- what it throws comes as a rejection
export async function openChain(spec: ChainSpec, options: OpenOptions): Promise<Base> {
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
