/**
 * CRC32C (Castagnoli), which guards the file lists and page headers of a store.
 *
 * @module
 */

const POLYNOMIAL_REFLECTED = 0x82f63b78;

/** Table `k` holds, at `k * 256 + b`, the effect of byte `b` with `k` bytes after it. */
const TABLES = makeTables(16);

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
 * Sixteen bytes go a step, since lists are long. Their words are little-endian, as on every machine
 * that pbkfs runs on.
 *
 * @param before The checksum of what comes before `bytes`.
 * @returns The checksum as an unsigned number.
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const t = TABLES;
  let crc = ~before;
  let at = 0;
  // Words are read where they begin at a multiple of their size.
  const head = Math.min(bytes.length, -bytes.byteOffset & 3);
  for (; at < head; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  const steps = (bytes.length - at) >>> 4;
  const words = new Int32Array(bytes.buffer, steps > 0 ? bytes.byteOffset + at : 0, steps * 4);
  for (let word = 0; word < words.length; word += 4) {
    const a = crc ^ words[word]!;
    const b = words[word + 1]!;
    const c = words[word + 2]!;
    const d = words[word + 3]!;
    crc = t[3840 + (a & 0xff)]! ^ t[3584 + ((a >>> 8) & 0xff)]! ^
      t[3328 + ((a >>> 16) & 0xff)]! ^ t[3072 + (a >>> 24)]! ^
      // In brackets, since it does not wait for the bytes before.
      (t[2816 + (b & 0xff)]! ^ t[2560 + ((b >>> 8) & 0xff)]! ^
        t[2304 + ((b >>> 16) & 0xff)]! ^ t[2048 + (b >>> 24)]! ^
        t[1792 + (c & 0xff)]! ^ t[1536 + ((c >>> 8) & 0xff)]! ^
        t[1280 + ((c >>> 16) & 0xff)]! ^ t[1024 + (c >>> 24)]! ^
        t[768 + (d & 0xff)]! ^ t[512 + ((d >>> 8) & 0xff)]! ^
        t[256 + ((d >>> 16) & 0xff)]! ^ t[d >>> 24]!);
  }
  for (at += steps * 16; at < bytes.length; at++) {
    crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  }
  return ~crc >>> 0;
}
