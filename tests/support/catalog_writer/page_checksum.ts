/**
 * PostgreSQL's page checksum.
 *
 * @module
 */

/** Source: src/include/storage/checksum_impl.h. */
const BASE_OFFSETS = Int32Array.of(
  ...[0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2],
  ...[0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c],
  ...[0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979],
  ...[0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e],
  ...[0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756],
);
const PRIME = 16777619;
const LANES = 32;
/** The high half of the third word of a page is its checksum, which does not count. */
const CHECKSUM_WORD = 2;

const sums = new Int32Array(LANES);

/**
 * The checksum of a page, whatever its own field says.
 *
 * @param words The page as 2048 words.
 * @param block From the start of the relation, not of the segment.
 */
export function pageChecksum(words: Int32Array, block: number): number {
  sums.set(BASE_OFFSETS);
  const field = words[CHECKSUM_WORD]!;
  words[CHECKSUM_WORD] = field & ~0xffff;
  for (let at = 0; at < words.length; at += LANES) {
    for (let lane = 0; lane < LANES; lane++) {
      const mixed = sums[lane]! ^ words[at + lane]!;
      sums[lane] = Math.imul(mixed, PRIME) ^ (mixed >>> 17);
    }
  }
  words[CHECKSUM_WORD] = field;
  let result = 0;
  for (let lane = 0; lane < LANES; lane++) {
    let sum = sums[lane]!;
    for (let round = 0; round < 2; round++) sum = Math.imul(sum, PRIME) ^ (sum >>> 17);
    result ^= sum;
  }
  return ((result ^ block) >>> 0) % 65535 + 1;
}
