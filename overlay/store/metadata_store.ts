/**
 * The interface of a metadata store: it keeps what a diff remembers besides the bytes of files,
 * that is, names, attributes, and which pages the diff holds.
 *
 * A store is loaded once, when a diff is mounted, and from then on only told of changes.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import type { Ino, Timestamp } from "../../fuse/mod.ts";
import type { Rows } from "./rows.ts";

/** Names one file in the diff's data directory. Never used twice. */
export type DataId = number & { readonly data: unique symbol };

/** An inode that is new, or differs from the base. */
export interface InodeRecord {
  readonly ino: Ino;
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly rdev: number;
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  readonly changed: Timestamp;
  /** When it was made; missing for one that an earlier pbkfs made. */
  readonly born?: Timestamp | undefined;
  /** Of a symbolic link made after the mount. */
  readonly target?: ByteString;
}

/** A name that is new, or that the base has and the tree no longer has. */
export interface NameRecord {
  readonly parent: Ino;
  readonly name: ByteString;
  /** `whiteout`: hides the base's entry. `none`: the base has no such name either, so forget it. */
  readonly to: Ino | "whiteout" | "none";
}

/** Where the bytes of a file are that is new, or differs from the base. */
export interface ContentRecord {
  readonly ino: Ino;
  /** `whole`: all in the data file, whose length is the file's. `paged`: see the page map. */
  readonly form: "whole" | "paged";
  readonly dataId: DataId;
  /** Length of a paged file; 0 for a whole one. */
  readonly sizeBytes: number;
  /** Up to here the base shows through a paged file, where the page map has no page. */
  readonly baseLimitBytes: number;
  /**
   * Length of a whole one's data file when it was told last. It is what it is now only if
   * {@link MetadataState.isClean}; missing where it was never told.
   */
  readonly lengthBytes?: number | undefined;
  /** Length of its data file as the mount has found it. It is not stored. */
  readonly foundBytes?: number;
}

/** A part of a page map: one bit a page, the lowest bit first. */
export interface PageMapRecord {
  readonly ino: Ino;
  /** Position of the part, in units of {@link PAGE_MAP_PART_SIZE_BYTES}. */
  readonly part: number;
  readonly bits: Uint8Array<ArrayBuffer>;
}

/** Bytes of a page map that are stored together: 4096 pages, 32 MiB of file. */
export const PAGE_MAP_PART_SIZE_BYTES = 512;

/** An extended attribute; without a value it is removed. */
export interface ExtendedAttributeRecord {
  readonly ino: Ino;
  readonly name: ByteString;
  readonly value: Uint8Array<ArrayBuffer> | undefined;
}

/** Numbers to hand out next, so that none is used twice. */
export interface NextNumbers {
  readonly nextIno: number;
  readonly nextDataId: number;
}

/** Changes that become visible together or not at all. Later records win. */
export interface MetadataBatch {
  readonly inodes: readonly InodeRecord[];
  readonly names: readonly NameRecord[];
  readonly contents: readonly ContentRecord[];
  readonly pages: readonly PageMapRecord[];
  readonly extendedAttributes: readonly ExtendedAttributeRecord[];
  /** Inodes that are gone, with everything that was recorded for them. */
  readonly removed: readonly Ino[];
  readonly nextNumbers: NextNumbers;
  /** Nothing comes after this: all lengths that have changed are told. */
  readonly isLast?: boolean;
}

/** All that a store remembers. Names are never `none`, attributes never without a value. */
export type MetadataState = Omit<MetadataBatch, "removed" | "nextNumbers" | "isLast"> & {
  /** undefined in a store that has never been committed to. */
  readonly nextNumbers: NextNumbers | undefined;
  /** Data files of inodes that have been removed: deleted, or to be deleted at the mount. */
  readonly deleted: readonly DataId[];
  /** Whether the store was closed after a batch that was the last one. */
  readonly isClean: boolean;
  /** Whether pages that are held lie within their data file, always: not so of older stores. */
  readonly keepsLengths: boolean;
  /** Grows with each commit. */
  readonly generation: number;
};

/** A store's contents as plain data. Rows ascend by inode, names by directory. */
export interface PackedState {
  readonly inodes: Rows;
  readonly names: Rows;
  readonly nameBytes: Uint8Array<ArrayBuffer>;
  readonly contents: Rows;
  readonly pages: Rows;
  readonly pageBits: Uint8Array<ArrayBuffer>;
  /** Of symbolic links, by inode. */
  readonly targets: ReadonlyMap<Ino, ByteString>;
  readonly attributes: readonly ExtendedAttributeRecord[];
  readonly facts: StoreFacts;
  /** Data files to be deleted, a number each. */
  readonly deleted: Rows;
}

/** What a store tells of itself, see {@link MetadataState}. */
export type StoreFacts = Pick<
  MetadataState,
  "nextNumbers" | "isClean" | "keepsLengths" | "generation"
>;

/**
 * Remembers. What is asked of it is done in the order of the calls, also if nobody waits for an
 * answer in between. Promises are rejected with a {@link PbkfsError}.
 */
export interface MetadataStore {
  /** Everything committed so far. */
  load(): Promise<MetadataState>;
  /** The same, in little memory. */
  loadPacked(): Promise<PackedState>;
  /**
   * Fulfilled when the batches are durable, all of them; when it is rejected, none is, nor will be.
   * Data files of inodes that are removed are remembered as deleted, until
   * {@link MetadataStore.dataDeleted}.
   *
   * @param batches Not to be changed before the answer.
   */
  commit(batches: readonly MetadataBatch[]): Promise<void>;
  /** A data file is gone. The next commit makes that durable; until then, nobody minds. */
  dataDeleted(id: DataId): void;
  close(): Promise<void>;
}

/**
 * A store that answers at once. A thread that does not return to its event loop, and so meets no
 * promise again, can use no other one. All methods may throw a {@link PbkfsError}.
 */
export interface PromptStore {
  load(): MetadataState;
  loadPacked(): PackedState;
  commit(batches: readonly MetadataBatch[]): void;
  dataDeleted(id: DataId): void;
  close(): void;
}

/** A store that answers at once, for who does not rely on that. */
export function promised(store: PromptStore): MetadataStore {
  return {
    load: () => Promise.try(() => store.load()),
    loadPacked: () => Promise.try(() => store.loadPacked()),
    commit: (batches) => Promise.try(() => store.commit(batches)),
    dataDeleted: (id) => store.dataDeleted(id),
    close: () => Promise.try(() => store.close()),
  };
}
