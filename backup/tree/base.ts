/**
 * A base that has been opened: what a tree, of whatever kind of backup, is laid out by, and what
 * is known of it besides its entries.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import type { Libc } from "../../ffi/libc.ts";
import type { BaseEntry, BaseTree, EntryIndex } from "./base_tree.ts";
import type { Codecs } from "./codecs.ts";
import type { StoreCounters } from "./store_counters.ts";
import type { StoreAlarm } from "./store_alarm.ts";

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

/** What opening a base takes. */
export interface OpenOptions {
  /** The system's own if left out. */
  readonly libc?: Libc;
  readonly layout: TreeLayout;
  readonly codecs: Codecs;
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

/** A tree that is open, with what else is known of it. */
export interface Base extends BaseTree {
  /** All entries, made at the first call: for who looks at each of them. */
  readonly entries: readonly BaseEntry[];
  /** Mode of the data directory itself, which has no entry. */
  readonly rootMode: number;
  /** Who owns the backup, and by default the tree. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly counters: StoreCounters;
  readonly libc: Libc;
  readonly codecs: Codecs;
  /** What the backup stores below `pg_wal`, also if the tree has a link there. Sorted by name. */
  readonly walFiles: readonly StoredWal[];
  /** The entry with a path, if there is one. */
  find(path: ByteString): EntryIndex | undefined;
}
