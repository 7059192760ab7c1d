/**
 * The file list of one backup of a chain, in columns: what it holds of each file of dest's list.
 *
 * @module
 */

import type { Codec } from "../../tree/base_tree.ts";
import { CODECS } from "../catalog/codec_name.ts";
import { type ContentLine, hashName } from "./content_line.ts";
import { grown } from "../../tree/grown.ts";
import type { Row } from "../../tree/path_list.ts";

/** How many backups a chain can have: what a page index has room for beside a bit of its own. */
export const MEMBERS_MAX = 0x7fff;

/** The backup does not have the file. */
export const ABSENT = -2;
/** The file has not changed since the parent. */
export const UNCHANGED = -1;

/** What stands for a row instead of a slot. Others are the file's slot in the columns, plus two. */
const ABSENT_SLOT = 0;
const UNCHANGED_SLOT = 1;
const FIRST_SLOT = 2;

const PAGED = 0x80;

/** The codec names that a line may have, by their hash. `zstandard` is another word for zstd. */
const CODEC_OF_HASH = new Map<number, number>([
  [0, 0],
  ...CODECS.map((name, index) => [hashName(name), index] as const),
  [hashName("zstandard"), CODECS.indexOf("zstd")],
]);

/** A {@link MemberFiles} as plain data, to be handed to another thread. */
export interface MemberColumns {
  /** By row. */
  readonly slots: Uint32Array<ArrayBuffer>;
  /** These have what is told of a file that is stored, one after another. */
  readonly sizes: Float64Array<ArrayBuffer>;
  readonly kinds: Uint8Array<ArrayBuffer>;
  readonly headerCounts: Uint32Array<ArrayBuffer>;
  readonly headerCrcs: Uint32Array<ArrayBuffer>;
  readonly headerOffsets: Float64Array<ArrayBuffer>;
  readonly headerSizes: Uint32Array<ArrayBuffer>;
}

/**
 * One column a fact, and a slot in them only for what is stored: of a hundred thousand files,
 * eight backups make millions of facts, most of them that nothing has changed.
 */
export class MemberFiles {
  readonly #columns: MemberColumns;

  constructor(columns: MemberColumns) {
    this.#columns = columns;
  }

  /** Plain data; of no use here any more once another thread has it. */
  get columns(): MemberColumns {
    return this.#columns;
  }

  /** Bytes of the stored file, {@link UNCHANGED}, or {@link ABSENT}. */
  storedSizeBytes(row: Row): number {
    const slot = this.#columns.slots[row]!;
    if (slot >= FIRST_SLOT) return this.#columns.sizes[slot - FIRST_SLOT]!;
    return slot === UNCHANGED_SLOT ? UNCHANGED : ABSENT;
  }

  /** The file is stored as a stream of pages. */
  isPaged(row: Row): boolean {
    return (this.#columns.kinds[this.#slot(row)]! & PAGED) !== 0;
  }

  /** Of a file that is stored. */
  codec(row: Row): Codec {
    return CODECS[this.#columns.kinds[this.#slot(row)]! & ~PAGED]!;
  }

  /** Where the page headers of a stored file are; `count` 0 if nowhere but in the stream. */
  headers(row: Row): PageHeaders {
    const slot = this.#slot(row);
    const { headerCounts, headerCrcs, headerOffsets, headerSizes } = this.#columns;
    return {
      count: headerCounts[slot]!,
      crc: headerCrcs[slot]!,
      offsetBytes: headerOffsets[slot]!,
      sizeBytes: headerSizes[slot]!,
    };
  }

  /** Records in a stored file; 0 if not told. */
  headerCount(row: Row): number {
    return this.#columns.headerCounts[this.#slot(row)]!;
  }

  /** Whoever asks has seen that the file is stored. */
  #slot(row: Row): number {
    const slot = this.#columns.slots[row]!;
    if (slot < FIRST_SLOT) throw new RangeError(`Row ${row} is not stored`);
    return slot - FIRST_SLOT;
  }
}

/** Gathers what a list tells. */
export class MemberFilesBuilder {
  #columns: { -readonly [name in keyof MemberColumns]: MemberColumns[name] };
  #count = 0;
  #codecHash = 0;
  #codec: number | undefined = 0;

  /** @param storedExpected More may come, of rows as of files stored. */
  constructor(rowCount: number, storedExpected: number) {
    this.#columns = {
      slots: new Uint32Array(rowCount),
      sizes: new Float64Array(storedExpected),
      kinds: new Uint8Array(storedExpected),
      headerCounts: new Uint32Array(storedExpected),
      headerCrcs: new Uint32Array(storedExpected),
      headerOffsets: new Float64Array(storedExpected),
      headerSizes: new Uint32Array(storedExpected),
    };
  }

  /**
   * Takes over a line.
   *
   * @returns What is wrong with it, if anything: a second line for the file, or a codec that we do
   * not know. The codec means nothing where nothing is stored.
   */
  set(row: Row, line: ContentLine): "repeated" | "codec" | undefined {
    if (row >= this.#columns.slots.length) {
      this.#columns.slots = grown(this.#columns.slots, row * 2 + 1);
    }
    if (this.#columns.slots[row] !== ABSENT_SLOT) return "repeated";
    const { sizeBytes } = line;
    if (sizeBytes === UNCHANGED) {
      this.#columns.slots[row] = UNCHANGED_SLOT;
      return undefined;
    }
    const codec = this.#codecOf(line.codecHash);
    if (codec === undefined && sizeBytes > 0) return "codec";
    if (this.#count === this.#columns.sizes.length) this.#resize(this.#count * 2 + 16);
    const slot = this.#count++;
    const columns = this.#columns;
    columns.slots[row] = FIRST_SLOT + slot;
    columns.sizes[slot] = sizeBytes;
    columns.kinds[slot] = (codec ?? 0) | (isPaged(line) ? PAGED : 0);
    columns.headerCounts[slot] = line.headerCount;
    columns.headerCrcs[slot] = line.headerCrc;
    columns.headerOffsets[slot] = line.headerOffsetBytes;
    columns.headerSizes[slot] = line.headerSizeBytes;
    return undefined;
  }

  /** What has been gathered. The builder is of no use afterwards. */
  build(): MemberFiles {
    return new MemberFiles(this.#columns);
  }

  /** Most lines have the codec of the line before. */
  #codecOf(hash: number): number | undefined {
    if (hash !== this.#codecHash) {
      this.#codecHash = hash;
      this.#codec = CODEC_OF_HASH.get(hash);
    }
    return this.#codec;
  }

  #resize(length: number): void {
    const columns = this.#columns;
    columns.sizes = grown(columns.sizes, length);
    columns.kinds = grown(columns.kinds, length);
    columns.headerCounts = grown(columns.headerCounts, length);
    columns.headerCrcs = grown(columns.headerCrcs, length);
    columns.headerOffsets = grown(columns.headerOffsets, length);
    columns.headerSizes = grown(columns.headerSizes, length);
  }
}

/** Stored as a stream of pages. CFS files are flagged as data files, but stored as they are. */
export function isPaged(line: ContentLine): boolean {
  return line.isDataFile && !line.isCfs;
}

/** A region of `page_header_map`. */
export interface PageHeaders {
  /** Of records, without the sentinel that follows them. */
  readonly count: number;
  /** CRC32C of the inflated region. */
  readonly crc: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}
