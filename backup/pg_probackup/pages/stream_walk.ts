/**
 * Finds the records of a stored file by hopping from header to header: the only way before
 * pg_probackup 2.4.0.
 *
 * @module
 */

import { BLOCK_SIZE_BYTES, type Codec } from "../../tree/base_tree.ts";
import { VERSION } from "../catalog/program_version.ts";

/** What the walk must know of the file. */
export interface StreamFacts {
  readonly storedSizeBytes: number;
  /** Of the backup, as a number; see `parseProgramVersion`. */
  readonly programVersion: number;
  readonly codec: Codec;
  readonly blocksMax: number;
}

/** What happens on the way. */
export interface StreamVisitor {
  /** Reads bytes of the stored file; the result is valid until the next call. */
  read(offsetBytes: number, sizeBytes: number): DataView;
  /** @returns false to stop. */
  record(block: number, payload: RecordPayload): boolean;
  /** The file was cut to `blockCount` blocks at that time. Nothing follows it. */
  marker(blockCount: number): void;
}

/** The payload of a record, and where it lies in the stored file. */
export interface RecordPayload {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly isCompressed: boolean;
}

const RECORD_HEADER_BYTES = 8;
const PAGE_HEADER_BYTES = 24;
const TRUNCATED = -2;
const ZLIB_FIRST_BYTE = 0x78;

/**
 * @returns What is wrong with the stream, if anything. Records may have been visited before.
 * @see get_page_header and restore_data_file_internal in pg_probackup, src/data.c
 */
export function walkStream(facts: StreamFacts, visitor: StreamVisitor): string | undefined {
  const { storedSizeBytes: end, programVersion: version } = facts;
  const isPadded = version < VERSION.headerMapFrom;
  const hasMarkers = version >= VERSION.markersFrom && version <= VERSION.markersTo;
  let blockBefore = -1;
  for (let at = 0; at < end;) {
    if (at + RECORD_HEADER_BYTES > end) return `its stored file breaks off at ${at}`;
    const header = visitor.read(at, RECORD_HEADER_BYTES);
    const block = header.getUint32(0, true);
    const sizeBytes = header.getInt32(4, true);
    if (sizeBytes === TRUNCATED && hasMarkers && block < facts.blocksMax) {
      visitor.marker(block);
      return undefined;
    }
    if (block <= blockBefore || block >= facts.blocksMax) {
      return `the record of block ${block} follows that of block ${blockBefore}`;
    }
    if (sizeBytes < 1 || sizeBytes > BLOCK_SIZE_BYTES) {
      return `the record of block ${block} has ${sizeBytes} bytes, expected 1 to ${BLOCK_SIZE_BYTES}`;
    }
    const offsetBytes = at + RECORD_HEADER_BYTES;
    at = offsetBytes + (isPadded ? (sizeBytes + 7) & ~7 : sizeBytes);
    if (at > end) return `the record of block ${block} ends at ${at}, its stored file at ${end}`;
    const isCompressed = sizeBytes < BLOCK_SIZE_BYTES ||
      isCompressedToPageSize(facts, () => visitor.read(offsetBytes, PAGE_HEADER_BYTES));
    if (!visitor.record(block, { offsetBytes, sizeBytes, isCompressed })) return undefined;
    blockBefore = block;
  }
  return undefined;
}

/**
 * Up to 2.0.22, a page that compresses to exactly its own size was stored compressed. It is then
 * no page: the test is the one that pg_probackup makes.
 */
function isCompressedToPageSize(facts: StreamFacts, readStart: () => DataView): boolean {
  if (facts.programVersion >= VERSION.rawIsRawFrom || facts.codec === "none") return false;
  const start = readStart();
  if (looksLikePage(start)) return false;
  return facts.codec !== "zlib" || start.getUint8(0) === ZLIB_FIRST_BYTE;
}

/** `PageHeaderData`, bufpage.h: flags, lower, upper, special, page size and version. */
function looksLikePage(view: DataView): boolean {
  const flags = view.getUint16(10, true);
  const lower = view.getUint16(12, true);
  const upper = view.getUint16(14, true);
  const special = view.getUint16(16, true);
  const pageSize = view.getUint16(18, true) & 0xff00;
  return pageSize === BLOCK_SIZE_BYTES && (flags & ~7) === 0 && lower >= PAGE_HEADER_BYTES &&
    lower <= upper && upper <= special && special <= BLOCK_SIZE_BYTES && special % 8 === 0;
}
