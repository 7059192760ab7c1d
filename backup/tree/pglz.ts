/**
 * PostgreSQL's own compression, as pg_probackup stores pages with it: without any header.
 *
 * @module
 */

/**
 * Decompresses `source` into `target`. A control byte, read from its lowest bit, says for each of
 * the eight items that follow whether it is a byte (0) or a reference to bytes before (1).
 *
 * @returns Whether `source` is sound, and both ended together.
 * @see pglz_decompress in PostgreSQL, src/common/pg_lzcompress.c
 */
export function decodePglz(source: Uint8Array, target: Uint8Array): boolean {
  const sourceEnd = source.length;
  const targetEnd = target.length;
  let from = 0;
  let to = 0;
  while (from < sourceEnd && to < targetEnd) {
    let control = source[from++]!;
    for (let bit = 0; bit < 8 && from < sourceEnd && to < targetEnd; bit++, control >>= 1) {
      if ((control & 1) === 0) {
        target[to++] = source[from++]!;
        continue;
      }
      if (from + 2 > sourceEnd) return false;
      const low = source[from++]!;
      const distance = ((low & 0xf0) << 4) | source[from++]!;
      let length = (low & 0x0f) + 3;
      if (length === 18) {
        if (from >= sourceEnd) return false;
        length += source[from++]!;
      }
      if (distance === 0 || distance > to) return false;
      // The last reference may say more than there is room for: PostgreSQL cuts it.
      const end = Math.min(to + length, targetEnd);
      if (distance >= end - to) {
        target.copyWithin(to, to - distance, end - distance);
        to = end;
      } else {
        // It repeats bytes that it writes itself, so it goes byte by byte.
        for (; to < end; to++) target[to] = target[to - distance]!;
      }
    }
  }
  return from === sourceEnd && to === targetEnd;
}
