/**
 * The paths of dest's file list, to be found again in the lists of its ancestors.
 *
 * @module
 */

import { bytesOf, type ByteString, byteString } from "../ffi/bytes.ts";
import { type ContentLine, hashPath } from "./content_line.ts";

/** The part of a line that tells which file it is about. */
export type PathOfLine = Pick<
  ContentLine,
  "pathStart" | "pathEnd" | "pathHash" | "externalNumber"
>;

/** Position of a line in dest's list, counted from 0: the name of a file inside `backup/`. */
export type Row = number & { readonly row: unique symbol };

const EMPTY = 0;

/**
 * A hash table over bytes, with open addressing. The lists of a chain have millions of lines, and
 * a string for each would cost more than all the rest of opening it.
 */
export class PathTable {
  #bytes = new Uint8Array(64 * 1024);
  #bytesUsed = 0;
  /** Start of each path; the next one's start is its end. */
  #starts = new Uint32Array(1024);
  #externals = new Uint16Array(1024);
  #hashes = new Int32Array(1024);
  /** Row + 1 by hash; 0 is empty. At most half full. */
  #slots = new Int32Array(4096);
  #count = 0;

  /** How many rows there are. */
  get count(): number {
    return this.#count;
  }

  /** Adds the path of a line. @returns Its row; undefined if the path is there already. */
  add(source: Uint8Array, line: PathOfLine): Row | undefined {
    const slot = this.#slotOf(source, line);
    if (this.#slots[slot] !== EMPTY) return undefined;
    const row = this.#count++;
    this.#reserve(line.pathEnd - line.pathStart);
    this.#bytes.set(source.subarray(line.pathStart, line.pathEnd), this.#bytesUsed);
    this.#starts[row] = this.#bytesUsed;
    this.#bytesUsed += line.pathEnd - line.pathStart;
    this.#starts[row + 1] = this.#bytesUsed;
    this.#externals[row] = line.externalNumber;
    this.#hashes[row] = hashOf(line);
    this.#slots[slot] = row + 1;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return row as Row;
  }

  /** The row of a line's path, if dest has it. */
  find(source: Uint8Array, line: PathOfLine): Row | undefined {
    const found = this.#slots[this.#slotOf(source, line)]!;
    return found === EMPTY ? undefined : (found - 1) as Row;
  }

  /** The row of a path below the data directory, if dest has it. */
  rowOf(path: ByteString): Row | undefined {
    return this.find(bytesOf(path), {
      pathStart: 0,
      pathEnd: path.length,
      pathHash: hashPath(path),
      externalNumber: 0,
    });
  }

  /** The path, relative to the data directory or to its external directory. */
  path(row: Row): ByteString {
    return byteString(this.#bytes.subarray(this.#starts[row], this.#starts[row + 1]));
  }

  /** Number of the external directory, 0 for the data directory. */
  external(row: Row): number {
    return this.#externals[row]!;
  }

  /** Where the line's path is, or belongs. */
  #slotOf(source: Uint8Array, line: PathOfLine): number {
    const hash = hashOf(line);
    const mask = this.#slots.length - 1;
    for (let slot = spread(hash) & mask;; slot = (slot + 1) & mask) {
      const found = this.#slots[slot]!;
      if (found === EMPTY) return slot;
      if (this.#hashes[found - 1] === hash && this.#isAt(found - 1, source, line)) return slot;
    }
  }

  #isAt(row: number, source: Uint8Array, line: PathOfLine): boolean {
    if (this.#externals[row] !== line.externalNumber) return false;
    let at = this.#starts[row]!;
    if (this.#starts[row + 1]! - at !== line.pathEnd - line.pathStart) return false;
    const bytes = this.#bytes;
    for (let from = line.pathStart; from < line.pathEnd; from++, at++) {
      if (bytes[at] !== source[from]) return false;
    }
    return true;
  }

  #reserve(pathBytes: number): void {
    if (this.#bytesUsed + pathBytes > this.#bytes.length) {
      this.#bytes = grown(this.#bytes, Math.max(this.#bytes.length * 2, pathBytes));
    }
    if (this.#count + 1 >= this.#starts.length) {
      const length = this.#starts.length * 2;
      this.#starts = grown(this.#starts, length);
      this.#externals = grown(this.#externals, length);
      this.#hashes = grown(this.#hashes, length);
    }
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let row = 0; row < this.#count; row++) {
      let slot = spread(this.#hashes[row]!) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

function hashOf(line: PathOfLine): number {
  return (line.pathHash + Math.imul(line.externalNumber, 0x9e3779b1)) | 0;
}

/** Names end in counting digits, so the low bits alone would fill the table in stripes. */
function spread(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 1;
}

/** A longer copy of a typed array. */
export function grown<T extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(
  array: T,
  length: number,
): T {
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  return copy;
}
