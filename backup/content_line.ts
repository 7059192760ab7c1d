/**
 * One line of a `backup_content.control`, as numbers.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";

/** One line. The scanner fills the same object for every line: copy what must outlive the call. */
export class ContentLine {
  /** The path is `bytes[pathStart]` up to, not including, `bytes[pathEnd]`. */
  pathStart = 0;
  pathEnd = 0;
  /** Of the path's bytes, see {@link hashPath}. */
  pathHash = 0;
  /** -1: unchanged since the parent. */
  sizeBytes = 0;
  /** With the type bits of st_mode. */
  mode = 0;
  isDataFile = false;
  isCfs = false;
  isPartialCopy = false;
  crc = 0;
  /** See {@link hashName}; of the name in lower case. 0 if missing. */
  codecHash = 0;
  codecStart = 0;
  codecEnd = 0;
  /** 0: the data directory; otherwise the number of an external directory. */
  externalNumber = 0;
  /** Length of the live file in blocks; 0 if not told. */
  blockCount = 0;
  headerCount = 0;
  headerCrc = 0;
  headerOffsetBytes = 0;
  headerSizeBytes = 0;
}

const UNSIGNED_64_MIN = 2 ** 63;

/** A number for a short ASCII name, in lower case. Different for all names we ask for. */
export function hashName(name: string): number {
  let hash = 0;
  for (let at = 0; at < name.length; at++) {
    hash = (Math.imul(hash, 31) + (name.charCodeAt(at) | 0x20)) | 0;
  }
  return hash;
}

/** The number that the scanner gives to a path. */
export function hashPath(path: ByteString): number {
  let hash = 0;
  for (let at = 0; at < path.length; at++) {
    hash = (Math.imul(hash, 31) + path.charCodeAt(at)) | 0;
  }
  return hash;
}

/** The keys that we read, by {@link hashName}. Others are passed over. */
export const KEY = {
  path: hashName("path"),
  size: hashName("size"),
  mode: hashName("mode"),
  isDataFile: hashName("is_datafile"),
  isCfs: hashName("is_cfs"),
  isPartialCopy: hashName("is_partial_copy"),
  crc: hashName("crc"),
  codec: hashName("compress_alg"),
  externalNumber: hashName("external_dir_num"),
  blockCount: hashName("n_blocks"),
  headerCount: hashName("n_headers"),
  headerCrc: hashName("hdr_crc"),
  headerOffset: hashName("hdr_off"),
  headerSize: hashName("hdr_size"),
} as const;

/** As before the first line. The size is NaN: every line must tell it. */
export function clearLine(line: ContentLine): void {
  line.pathStart = line.pathEnd = line.pathHash = 0;
  line.sizeBytes = NaN;
  line.mode = line.crc = 0;
  line.isDataFile = line.isCfs = line.isPartialCopy = false;
  line.codecHash = line.codecStart = line.codecEnd = 0;
  line.externalNumber = line.blockCount = line.headerCount = 0;
  line.headerCrc = line.headerOffsetBytes = line.headerSizeBytes = 0;
}

/** Takes over a number. @returns Whether `value` is in the range of the key; unknown keys take anything. */
export function setNumber(line: ContentLine, key: number, value: number): boolean {
  switch (key) {
    case KEY.size:
      // Early versions printed -1 unsigned.
      line.sizeBytes = value >= UNSIGNED_64_MIN ? -1 : value;
      return value >= UNSIGNED_64_MIN || (value >= -1 && value <= Number.MAX_SAFE_INTEGER);
    case KEY.mode:
      line.mode = value;
      return isUint32(value);
    case KEY.isDataFile:
      line.isDataFile = value === 1;
      return value === 0 || value === 1;
    case KEY.isCfs:
      line.isCfs = value === 1;
      return value === 0 || value === 1;
    case KEY.isPartialCopy:
      line.isPartialCopy = value !== 0;
      return isUint32(value);
    case KEY.crc:
      line.crc = value;
      return isUint32(value);
    case KEY.externalNumber:
      line.externalNumber = value;
      return value >= 0 && value <= 0xffff;
    case KEY.blockCount:
      // A block number of -1, printed as it is or unsigned, stands for "not known".
      line.blockCount = value === -1 || value === 0xffffffff ? 0 : value;
      return value === -1 || isUint32(value);
    case KEY.headerCount:
      line.headerCount = value;
      return value >= 0 && value <= 0x7fffffff;
    case KEY.headerCrc:
      line.headerCrc = value;
      return isUint32(value);
    case KEY.headerOffset:
      line.headerOffsetBytes = value;
      return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
    case KEY.headerSize:
      line.headerSizeBytes = value;
      return value >= 0 && value <= 0x7fffffff;
    default:
      return true;
  }
}

function isUint32(value: number): boolean {
  return value >= 0 && value <= 0xffffffff;
}
