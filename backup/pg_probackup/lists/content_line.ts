/**
 * One line of a `backup_content.control`, as numbers.
 *
 * @module
 */

import type { ByteString } from "../../../ffi/bytes.ts";

const UINT32_MAX = 0xffffffff;
const INT32_MAX = 0x7fffffff;
/** What -1 is as an unsigned number, as near as a number of JavaScript comes to it. */
const MINUS_ONE_UNSIGNED = 2 ** 64;

/** The keys whose values are numbers that we read, with the least and the greatest of them. */
const NUMBERS = [
  ["size", -1, Number.MAX_SAFE_INTEGER],
  ["mode", 0, UINT32_MAX],
  ["is_datafile", 0, 1],
  ["is_cfs", 0, 1],
  ["is_partial_copy", 0, UINT32_MAX],
  ["crc", 0, UINT32_MAX],
  ["external_dir_num", 0, 0xffff],
  ["n_blocks", -1, UINT32_MAX],
  ["n_headers", 0, INT32_MAX],
  ["hdr_crc", 0, UINT32_MAX],
  ["hdr_off", 0, Number.MAX_SAFE_INTEGER],
  ["hdr_size", 0, INT32_MAX],
] as const;

/** What a key is about: the position of its value in a line, or one of those below. */
export type Field = number & { readonly field: unique symbol };

const SIZE = 0;
/** The path. */
export const PATH = NUMBERS.length as Field;
/** The name of the codec. */
export const CODEC = (NUMBERS.length + 1) as Field;
/** Any key that we do not read. Its value may be anything. */
export const OTHER = (NUMBERS.length + 2) as Field;

const LEAST = NUMBERS.map(([, least]) => least);
const MOST = NUMBERS.map(([, , most]) => most);
const FIELDS = new Map<ByteString, Field>([
  ...NUMBERS.map(([name], field) => [name as string as ByteString, field as Field] as const),
  ["path" as ByteString, PATH],
  ["compress_alg" as ByteString, CODEC],
]);

/** The field of a key, be it in upper or lower case. */
export function fieldOf(key: ByteString): Field {
  return FIELDS.get(key.toLowerCase() as ByteString) ?? OTHER;
}

/** One line. The scanner fills the same object for every line: copy what must outlive the call. */
export class ContentLine {
  /** The path is `bytes[pathStart]` up to, not including, `bytes[pathEnd]`. */
  pathStart = 0;
  pathEnd = 0;
  /** Of the path's bytes, as {@link hashName} makes one of a name, but with capitals. */
  pathHash = 0;
  /** See {@link hashName}; of the name in lower case. 0 if missing. */
  codecHash = 0;
  codecStart = 0;
  codecEnd = 0;
  /** By {@link Field}; 0 if missing, but NaN for the size, which every line must tell. */
  readonly #numbers = new Float64Array(NUMBERS.length);

  /** As before the first line. */
  clear(): void {
    this.pathStart = this.pathEnd = this.pathHash = 0;
    this.codecHash = this.codecStart = this.codecEnd = 0;
    this.#numbers.fill(0);
    this.#numbers[SIZE] = NaN;
  }

  /** Takes over a number. @returns Whether `value` is in the range of the field. */
  set(field: Field, value: number): boolean {
    const isInRange = value >= LEAST[field]! && value <= MOST[field]!;
    if (!isInRange && !(field === SIZE && value === MINUS_ONE_UNSIGNED)) return false;
    this.#numbers[field] = value;
    return true;
  }

  get hasSize(): boolean {
    return !Number.isNaN(this.#numbers[SIZE]);
  }

  /** -1: unchanged since the parent. */
  get sizeBytes(): number {
    const value = this.#numbers[SIZE]!;
    // Early versions printed -1 unsigned.
    return value === MINUS_ONE_UNSIGNED ? -1 : value;
  }

  /** With the type bits of st_mode. */
  get mode(): number {
    return this.#numbers[1]!;
  }

  get isDataFile(): boolean {
    return this.#numbers[2]! !== 0;
  }

  get isCfs(): boolean {
    return this.#numbers[3]! !== 0;
  }

  get isPartialCopy(): boolean {
    return this.#numbers[4]! !== 0;
  }

  get crc(): number {
    return this.#numbers[5]!;
  }

  /** 0: the data directory; otherwise the number of an external directory. */
  get externalNumber(): number {
    return this.#numbers[6]!;
  }

  /** Length of the live file in blocks; 0 if not told. */
  get blockCount(): number {
    const value = this.#numbers[7]!;
    // A block number of -1, printed as it is or unsigned, stands for "not known".
    return value === -1 || value === UINT32_MAX ? 0 : value;
  }

  get headerCount(): number {
    return this.#numbers[8]!;
  }

  get headerCrc(): number {
    return this.#numbers[9]!;
  }

  get headerOffsetBytes(): number {
    return this.#numbers[10]!;
  }

  get headerSizeBytes(): number {
    return this.#numbers[11]!;
  }
}

/** A number for a short ASCII name, in lower case. Different for all codecs that we know. */
export function hashName(name: string): number {
  let hash = 0;
  for (let at = 0; at < name.length; at++) {
    hash = (Math.imul(hash, 31) + (name.charCodeAt(at) | 0x20)) | 0;
  }
  return hash;
}
