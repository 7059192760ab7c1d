/**
 * The checksum of a page, as PostgreSQL computes it where a cluster has data checksums.
 *
 * @see src/include/storage/checksum_impl.h of PostgreSQL: FNV-1a in 32 lanes, with a shift.
 * @module
 */

import { BLOCK_SIZE_BYTES } from "./block_size.ts";

/** Of the fields in a page's header that tell. Source: storage/bufpage.h. */
const CHECKSUM_AT = 8;
const UPPER_AT = 14;

const PRIME = 16777619;
const LANES = [
  ...[0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2],
  ...[0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c],
  ...[0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979],
  ...[0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e],
  ...[0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756],
];

/** What is to be thought of a page. `new`: PostgreSQL has not written it yet, it is all zeros. */
export type PageState = "right" | "new" | "wrong";

/**
 * Checks a page.
 *
 * @param page Its bytes, of one block.
 * @param block Its number in the relation's fork: of later segments, those before count.
 */
export function checkPage(page: Uint8Array, block: number): PageState {
  const view = new DataView(page.buffer, page.byteOffset, BLOCK_SIZE_BYTES);
  if (view.getUint16(UPPER_AT, true) === 0) {
    for (let at = 0; at < BLOCK_SIZE_BYTES; at += 4) {
      if (view.getUint32(at, true) !== 0) return "wrong";
    }
    return "new";
  }
  return view.getUint16(CHECKSUM_AT, true) === pageChecksum(page, block) ? "right" : "wrong";
}

/** The checksum that a page has to have; what it has counts as 0. */
export function pageChecksum(page: Uint8Array, block: number): number {
  const view = new DataView(page.buffer, page.byteOffset, BLOCK_SIZE_BYTES);
  const sums = Uint32Array.from(LANES);
  const add = (lane: number, word: number) => {
    const mixed = sums[lane]! ^ word;
    sums[lane] = Math.imul(mixed, PRIME) ^ (mixed >>> 17);
  };
  for (let at = 0; at < BLOCK_SIZE_BYTES; at += 4) {
    // The checksum is the lower half of its word.
    const word = at === CHECKSUM_AT
      ? view.getUint16(CHECKSUM_AT + 2, true) << 16
      : view.getUint32(at, true);
    add((at >> 2) % LANES.length, word);
  }
  for (let round = 0; round < 2; round++) for (const lane of LANES.keys()) add(lane, 0);
  const sum = (sums.reduce((all, one) => all ^ one, 0) ^ block) >>> 0;
  return sum % 65535 + 1;
}

/** A file with pages of a relation: which fork, and how many blocks come before it. */
const RELATION =
  /^(global|base\/\d+|pbkfs_tablespaces\/\d+\/PG_[^/]+\/\d+)\/\d+(_[a-z]+)?(\.(\d+))?$/;
const BLOCKS_A_SEGMENT = 131_072;

/**
 * The block that a file of a relation begins with; undefined if it holds no pages of one.
 *
 * @param path Relative to the data directory.
 */
export function firstBlockOf(path: string): number | undefined {
  const found = RELATION.exec(path);
  return found === null ? undefined : Number(found[4] ?? 0) * BLOCKS_A_SEGMENT;
}

/**
 * Whether a cluster has data checksums, as its `global/pg_control` tells.
 *
 * What comes before its CRC differs between versions: in front of it lie the flag, since
 * PostgreSQL 18 the signedness of `char`, and since 10 a nonce of 32 bytes.
 *
 * @param crc32c Of some bytes.
 * @returns undefined if the file is damaged.
 * @see ControlFileData in src/include/catalog/pg_control.h
 */
export function hasDataChecksums(
  control: Uint8Array,
  crc32c: (bytes: Uint8Array) => number,
): boolean | undefined {
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  if (control.length < 512) return undefined;
  const version = view.getUint32(8, true);
  const before = version >= 1800 ? 40 : version >= 1002 ? 36 : 4;
  for (let at = 200; at <= 400; at += 4) {
    if (view.getUint32(at, true) !== crc32c(control.subarray(0, at))) continue;
    return view.getUint32(at - before, true) !== 0;
  }
  return undefined;
}
