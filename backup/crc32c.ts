/**
 * CRC32C (Castagnoli), which guards the file lists and page headers of a store.
 *
 * @module
 */

const POLYNOMIAL_REFLECTED = 0x82f63b78;

/** Table `k` holds, at `k * 256 + b`, the effect of byte `b` with `k` bytes after it. */
const TABLES = makeTables(8);

function makeTables(count: number): Int32Array {
  const tables = new Int32Array(count * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL_REFLECTED : 0);
    }
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

/**
 * Eight bytes go a step, since lists are long.
 *
 * @param before The checksum of what comes before `bytes`.
 * @returns The checksum as an unsigned number.
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const t = TABLES;
  const end = bytes.length - 7;
  let crc = ~before;
  let at = 0;
  for (; at < end; at += 8) {
    const low = crc ^
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc = t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
