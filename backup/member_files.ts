/**
 * What one backup holds of each file of dest's list, in columns.
 *
 * @module
 */

import type { Codec } from "./base_tree.ts";
import { CODECS } from "./codec_name.ts";
import { type ContentLine, hashName } from "./content_line.ts";
import { grown, type Row } from "./path_table.ts";

/** The backup does not have the file. */
export const ABSENT = -2;
/** The file has not changed since the parent. */
export const UNCHANGED = -1;

const DATA_FILE = 1;
const CFS = 2;

/** The codec names that a line may have, by their hash. `zstandard` is another word for zstd. */
const CODEC_OF_HASH = new Map<number, number>([
  [0, 0],
  ...CODECS.map((name, index) => [hashName(name), index] as const),
  [hashName("zstandard"), CODECS.indexOf("zstd")],
]);

/**
 * One column a fact, one place a row: of a hundred thousand files, eight backups make millions of
 * facts, and an object each would take more memory than all the rest.
 */
export class MemberFiles {
  #sizes: Float64Array;
  #flags: Uint8Array;
  #codecs: Uint8Array;
  #blockCounts: Uint32Array;
  #headerCounts: Int32Array;
  #headerCrcs: Uint32Array;
  #headerOffsets: Float64Array;
  #headerSizes: Uint32Array;

  constructor(rowCount: number) {
    this.#sizes = new Float64Array(rowCount).fill(ABSENT);
    this.#flags = new Uint8Array(rowCount);
    this.#codecs = new Uint8Array(rowCount);
    this.#blockCounts = new Uint32Array(rowCount);
    this.#headerCounts = new Int32Array(rowCount);
    this.#headerCrcs = new Uint32Array(rowCount);
    this.#headerOffsets = new Float64Array(rowCount);
    this.#headerSizes = new Uint32Array(rowCount);
  }

  /** Makes room, for dest, whose rows are counted only while its list is read. */
  reserve(row: Row): void {
    const length = this.#sizes.length;
    if (row < length) return;
    this.#sizes = grown(this.#sizes, length * 2).fill(ABSENT, length);
    this.#flags = grown(this.#flags, length * 2);
    this.#codecs = grown(this.#codecs, length * 2);
    this.#blockCounts = grown(this.#blockCounts, length * 2);
    this.#headerCounts = grown(this.#headerCounts, length * 2);
    this.#headerCrcs = grown(this.#headerCrcs, length * 2);
    this.#headerOffsets = grown(this.#headerOffsets, length * 2);
    this.#headerSizes = grown(this.#headerSizes, length * 2);
  }

  /**
   * Takes over a line.
   *
   * @returns What is wrong with it, if anything: a second line for the file, or a codec that we do
   * not know. The codec means nothing where nothing is stored.
   */
  set(row: Row, line: ContentLine): "repeated" | "codec" | undefined {
    if (this.#sizes[row] !== ABSENT) return "repeated";
    const codec = CODEC_OF_HASH.get(line.codecHash);
    if (codec === undefined && line.sizeBytes > 0) return "codec";
    this.#sizes[row] = line.sizeBytes;
    this.#flags[row] = (line.isDataFile ? DATA_FILE : 0) | (line.isCfs ? CFS : 0);
    this.#codecs[row] = codec ?? 0;
    this.#blockCounts[row] = line.blockCount;
    this.#headerCounts[row] = line.headerCount;
    this.#headerCrcs[row] = line.headerCrc;
    this.#headerOffsets[row] = line.headerOffsetBytes;
    this.#headerSizes[row] = line.headerSizeBytes;
    return undefined;
  }

  /** Bytes of the stored file, {@link UNCHANGED}, or {@link ABSENT}. */
  storedSizeBytes(row: Row): number {
    return this.#sizes[row]!;
  }

  /** Stored as a stream of pages. CFS files are flagged as data files, but stored as they are. */
  isPaged(row: Row): boolean {
    return (this.#flags[row]! & (DATA_FILE | CFS)) === DATA_FILE;
  }

  codec(row: Row): Codec {
    return CODECS[this.#codecs[row]!]!;
  }

  /** Length of the live file, in blocks; 0 if not told. */
  blockCount(row: Row): number {
    return this.#blockCounts[row]!;
  }

  /** Where the page headers of the file are; `count` 0 if nowhere but in the stream. */
  headers(row: Row): PageHeaders {
    return {
      count: this.#headerCounts[row]!,
      crc: this.#headerCrcs[row]!,
      offsetBytes: this.#headerOffsets[row]!,
      sizeBytes: this.#headerSizes[row]!,
    };
  }

  /** Records in the stored file; 0 if not told. */
  headerCount(row: Row): number {
    return this.#headerCounts[row]!;
  }
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
