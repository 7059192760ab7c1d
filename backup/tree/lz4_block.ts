/**
 * The structure of LZ4 blocks, looked at before a decoder gets them.
 *
 * `lz4js` decodes sound blocks, but writes past the end of damaged ones, or goes on without
 * noticing. A store may be damaged, so what `LZ4_decompress_safe` checks is checked here first.
 *
 * @module
 */

const LENGTH_IN_MORE_BYTES = 15;
const MATCH_BYTES_MIN = 4;
/** The last bytes of a block are never a match. */
const LAST_LITERALS_BYTES = 5;
/** No match begins in this many bytes at the end. */
const MATCH_FREE_BYTES = 12;

/**
 * Whether `source` is a sound block that decompresses to exactly `sizeBytes` bytes.
 *
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 */
export function isLz4BlockOf(source: Uint8Array, sizeBytes: number): boolean {
  let from = 0;
  let to = 0;
  /** A length that goes on in further bytes; NaN if the block ends before it does. */
  const length = (start: number): number => {
    if (start !== LENGTH_IN_MORE_BYTES) return start;
    for (let sum = start;;) {
      if (from >= source.length) return NaN;
      const more = source[from++]!;
      sum += more;
      if (more !== 255) return sum;
    }
  };
  while (from < source.length) {
    const token = source[from++]!;
    const literals = length(token >> 4);
    from += literals;
    to += literals;
    if (!(from <= source.length && to <= sizeBytes)) return false;
    if (from === source.length) break;

    if (from + 2 + 1 + LAST_LITERALS_BYTES > source.length) return false;
    if (to > sizeBytes - MATCH_FREE_BYTES) return false;
    const distance = source[from]! | (source[from + 1]! << 8);
    from += 2;
    if (distance === 0 || distance > to) return false;
    to += length(token & 15) + MATCH_BYTES_MIN;
    if (!(to <= sizeBytes - LAST_LITERALS_BYTES)) return false;
  }
  return to === sizeBytes;
}
