/**
 * Compresses LZ4 blocks, for tests.
 *
 * @module
 */

const DISTANCE_MAX = 65535;
const LAST_LITERALS = 5;
const MATCH_FREE = 12;

/** Greedy, with one candidate a place. Keeps the rules for the end, which not every encoder does. */
export function encodeLz4(source: Uint8Array): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const last = new Map<number, number>();
  let anchor = 0;
  for (let at = 0; at < source.length - MATCH_FREE;) {
    const key = source[at]! | source[at + 1]! << 8 | source[at + 2]! << 16 | source[at + 3]! << 24;
    const before = last.get(key);
    last.set(key, at);
    if (before === undefined || at - before > DISTANCE_MAX) {
      at++;
      continue;
    }
    let length = 4;
    while (
      at + length < source.length - LAST_LITERALS && source[at + length] === source[before + length]
    ) {
      length++;
    }
    addSequence(out, source.subarray(anchor, at), length - 4);
    const distance = at - before;
    // The distance stands between the literals and the rest of the length.
    const more = lengthBytes(length - 4);
    out.splice(out.length - more.length, 0, distance & 0xff, distance >> 8);
    at += length;
    anchor = at;
  }
  addSequence(out, source.subarray(anchor), undefined);
  return Uint8Array.from(out);
}

function addSequence(out: number[], literals: Uint8Array, match: number | undefined): void {
  out.push((Math.min(literals.length, 15) << 4) | Math.min(match ?? 0, 15));
  out.push(...lengthBytes(literals.length), ...literals, ...lengthBytes(match ?? 0));
}

/** What of a length does not fit the four bits of the token. */
function lengthBytes(length: number): number[] {
  if (length < 15) return [];
  const bytes: number[] = [];
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) bytes.push(255);
  return [...bytes, rest];
}
