/**
 * The base: the tree that `pg_probackup restore` would write, read-only and never unpacked.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import type { ByteRange, Fd } from "../../ffi/libc.ts";

/** The only block size that pg_probackup restores. */
export { BLOCK_SIZE_BYTES } from "../../postgres/block_size.ts";

/** How records are stored. `none` is bytes as they are. Threads tell codecs by their index here. */
export const CODECS = ["none", "zlib", "pglz", "lz4", "zstd"] as const;
export type Codec = typeof CODECS[number];

/**
 * What a record has, stored or decoded, at most, in bytes. Who reads a part of it decodes all of it,
 * and each thread that reads has memory for it.
 */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;

/** Position of an entry in a {@link BaseTree}, counted from 0. */
export type EntryIndex = number & { readonly entry: unique symbol };

/** One file, directory or symbolic link of the tree. */
export interface BaseEntry {
  /** Relative to the data directory, parts separated by `/`; never empty, absolute or with `..`. */
  readonly path: ByteString;
  readonly kind: "directory" | "file" | "symlink";
  /** Permission bits, without the type. */
  readonly mode: number;
  /** A data file: its content comes in blocks, from several members of the chain. */
  readonly isDataFile: boolean;
  /** Target of a symbolic link. */
  readonly target?: ByteString;
}

/** Where in the tree the bytes of a stored file belong. Messages about damage name it. */
export interface StoreOrigin {
  /** The file in the tree. */
  readonly path: ByteString;
  /** The backup that holds these bytes. */
  readonly backupId: string;
  /** The block within the file; missing if the file is stored as it is. */
  readonly block?: number;
}

/**
 * Where a part of a file's bytes lies. The pieces of a read, in order, cover the range asked for,
 * clipped at the end of the file.
 */
export type Piece =
  /**
   * Bytes as they are in a file of the store or the diff. With `of` the file is the store's, which
   * never shrinks: if it holds less than the range, it is damaged. Without `of` the file may be
   * sparse and shorter than what it stands for: what lies past its end reads as zeros, unless it
   * must be there as of the plan (`isHeld`).
   */
  | {
    readonly in: "file";
    readonly fd: Fd;
    readonly range: ByteRange;
    readonly of?: StoreOrigin;
    readonly isHeld?: boolean;
  }
  /**
   * Part of what one stored record is decoded to: a page, or whatever unit its source has. `range` is
   * the payload in the store.
   */
  | {
    readonly in: "record";
    readonly fd: Fd;
    readonly range: ByteRange;
    readonly codec: Codec;
    /** What comes out of the decoder, exactly; at most {@link RECORD_BYTES_MAX}. */
    readonly decodedSizeBytes: number;
    /** Which bytes of that are wanted. */
    readonly wanted: ByteRange;
    readonly of: StoreOrigin;
  }
  | { readonly in: "memory"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly in: "zeros"; readonly sizeBytes: number };

/** The names in one directory, sorted bytewise. Each has a position, counted from 0. */
export interface BaseNames {
  readonly count: number;
  name(at: number): ByteString;
  entry(at: number): EntryIndex;
  /** The position of a name, if it is there. */
  find(name: ByteString): number | undefined;
}

/**
 * A read-only tree. Not safe to share between threads: each thread opens its own.
 *
 * Entries are sorted by path, bytewise, so that a directory comes before what is in it. The root
 * is none of them; where a directory is asked for, undefined stands for it. There may be a million
 * entries, so what is told of one is made when it is asked for.
 */
export interface BaseTree {
  /** How many entries there are. */
  readonly count: number;
  /** The entry, if there is one, that is found by its name but that no listing has. */
  readonly unlisted: EntryIndex | undefined;
  entry(index: EntryIndex): BaseEntry;
  /** Permission bits, and those of the type, as in st_mode. */
  mode(index: EntryIndex): number;
  /** The directory that an entry is in. */
  parent(index: EntryIndex): EntryIndex | undefined;
  /** None for what is no directory. */
  names(directory: EntryIndex | undefined): BaseNames;
  /**
   * Length of a file in bytes. May read a page index the first time.
   *
   * @throws {PbkfsError} `StoreDamaged` if the chain cannot say.
   */
  sizeBytes(entry: EntryIndex): number;
  /**
   * Finds where the bytes of `range` lie, without reading them. The descriptors in the result are
   * valid until the next new plan.
   *
   * @param plan `more` adds to the plan before, whose descriptors stay valid. `new` if left out.
   * @throws {PbkfsError} `StoreDamaged` if the store contradicts itself there.
   */
  planRead(entry: EntryIndex, range: ByteRange, plan?: "new" | "more"): Piece[];
  /**
   * What lies at a place within a file: data, or a hole, which are blocks that nobody stored; and
   * where it ends. May read a page index.
   */
  extent(entry: EntryIndex, offsetBytes: number): {
    readonly isHole: boolean;
    readonly endBytes: number;
  };
  /** Closes the store's files. */
  close(): void;
}
