/**
 * Compresses as PostgreSQL's pglz does, for tests.
 *
 * @module
 */

const DISTANCE_MAX = 4095;
const LENGTH_MAX = 273;

/** Greedy, with one candidate a place: what comes out is valid, if not the shortest. */
export function encodePglz(source: Uint8Array): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const last = new Map<number, number>();
  let controlAt = 0;
  let bit = 8;
  for (let at = 0; at < source.length;) {
    if (bit === 8) {
      controlAt = out.push(0) - 1;
      bit = 0;
    }
    const key = source[at]! | source[at + 1]! << 8 | source[at + 2]! << 16;
    const before = at + 2 < source.length ? last.get(key) : undefined;
    last.set(key, at);
    let length = 0;
    if (before !== undefined && at - before <= DISTANCE_MAX) {
      const max = Math.min(LENGTH_MAX, source.length - at);
      while (length < max && source[before + length] === source[at + length]) length++;
    }
    if (length < 3) out.push(source[at++]!);
    else {
      const distance = at - before!;
      out[controlAt]! |= 1 << bit;
      out.push((distance >> 4) & 0xf0 | Math.min(length, 18) - 3, distance & 0xff);
      if (length >= 18) out.push(length - 18);
      at += length;
    }
    bit++;
  }
  return Uint8Array.from(out);
}
