/**
 * The forms that a file's bytes can be in: as the base has them, whole in a data file of the diff, or
 * by pages in one. Which it is, and how one becomes another, `FileContent` knows.
 *
 * @module
 */

import { BLOCK_SIZE_BYTES, type Piece } from "../../backup/mod.ts";
import type { ByteRange, Libc } from "../../ffi/libc.ts";
import type { Address } from "../../ffi/memory.ts";
import type { Ino } from "../../fuse/mod.ts";
import type { DataFiles } from "../data/data_files.ts";
import type { ReadEngine } from "../read/read_engine.ts";
import type { ContentRecord, DataId, PageMapRecord } from "../store/metadata_store.ts";

/** The unit of the page map: PostgreSQL's page, which fills a block. Not the machine's page of 4 KiB. */
export const PAGE_SIZE_BYTES = BLOCK_SIZE_BYTES;

/** What a file's space is counted in. */
export const SECTOR_SIZE_BYTES = 512;

/** What base offers for one file. */
export interface BaseFile {
  readonly isDataFile: boolean;
  readonly sizeBytes: number;
  /**
   * Where the bytes of `range`, which lies within the file, lie. Its descriptors are valid until the
   * next call for a new plan.
   *
   * @param plan Whether it adds to the plan of the call before.
   */
  plan(range: ByteRange, plan: "new" | "more"): Piece[];
  /** What lies at a place within the file. May read a page index. */
  extent(offsetBytes: number): Extent;
}

/** What contents share. */
export interface ContentContext {
  readonly libc: Libc;
  readonly data: DataFiles;
  readonly reads: Pick<ReadEngine, "read">;
  readonly newDataId: () => DataId;
  /**
   * Whether the data file of a paged file reaches over all pages that it holds. Earlier stores have
   * files of which it does not; what is missing of them reads as zeros.
   */
  readonly keepsLengths: boolean;
}

/** A part of a file that is data, or a hole, and where it ends. Data may be zeros as well. */
export interface Extent {
  readonly isHole: boolean;
  readonly endBytes: number;
}

/** How a file's bytes are found in one of the forms. */
export interface ContentForm {
  readonly kind: "base" | "whole" | "paged";
  readonly sizeBytes: number;
  /** Space taken, in units of {@link SECTOR_SIZE_BYTES}. */
  readonly blocks512: number;
  /** Where the bytes of a range lie, which lies within the file and is not empty. */
  plan(range: ByteRange): Piece[];
  /** What lies at a place before `end`, and up to where. `end` is within the file. */
  extent(at: number, end: number): Extent;
}

/** What a file tells the store. */
export interface ContentRecords {
  readonly content: ContentRecord;
  readonly pages: PageMapRecord[];
}

/** A form with a data file in the diff, in which bytes can change. */
export interface DataForm extends ContentForm {
  readonly kind: "whole" | "paged";
  readonly dataId: DataId;
  /** Bytes were written that no job has been made to sync. */
  hasUnsyncedBytes: boolean;
  /** Whether the store has to be told before what is on disk makes sense. */
  readonly hasUncommittedChanges: boolean;
  /** Writes all of `range`, which is not empty; its bytes begin at `source`. */
  write(source: Address, range: ByteRange): void;
  /** Lowers or raises the size; what is added reads as zeros. */
  truncate(sizeBytes: number): void;
  /** fallocate(2): reserves space, or makes a range zero. */
  allocate(mode: number, range: ByteRange): void;
  /** What to commit, as of now. */
  takeRecords(ino: Ino): ContentRecords;
  /** What was told is in the store. */
  committed(pages: readonly PageMapRecord[]): void;
  /** What was told is not in the store, and will be told again. */
  commitFailed(pages: readonly PageMapRecord[]): void;
  /** Which bytes are on disk is not known any more: it becomes what it would be after a crash. */
  heal(): void;
}
