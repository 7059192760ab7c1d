/**
 * The paths of dest's file list while lists are read, to be found again in those of its ancestors.
 *
 * @module
 */

import type { ContentLine } from "./content_line.ts";
import { grown } from "../../tree/grown.ts";
import { PathList, type Row } from "../../tree/path_list.ts";

/** The part of a line that tells which file it is about. */
export type PathOfLine = Pick<
  ContentLine,
  "pathStart" | "pathEnd" | "pathHash" | "externalNumber"
>;

const EMPTY = 0;

/**
 * A hash table over bytes, with open addressing. It is done with when the lists are read; what it
 * has gathered stays, as a {@link PathList}.
 */
export class PathTable {
  #bytes: Uint8Array<ArrayBuffer>;
  #bytesUsed = 0;
  #starts: Uint32Array<ArrayBuffer>;
  #externals: Uint16Array<ArrayBuffer>;
  #hashes: Int32Array<ArrayBuffer>;
  /** Row + 1 by hash; 0 is empty. At most half full. */
  #slots = new Int32Array(4096);
  #count = 0;
  /** Lists of a chain have much the same order: the row after the one that was found last. */
  #next = 0;

  /** @param rowsExpected More may come. Memory that is not used is not taken. */
  constructor(rowsExpected = 1024) {
    this.#bytes = new Uint8Array(rowsExpected * 32);
    this.#starts = new Uint32Array(rowsExpected + 1);
    this.#externals = new Uint16Array(rowsExpected);
    this.#hashes = new Int32Array(rowsExpected);
  }

  /** How many rows there are. */
  get count(): number {
    return this.#count;
  }

  /** Adds the path of a line. @returns Its row; undefined if the path is there already. */
  add(source: Uint8Array, line: PathOfLine): Row | undefined {
    const hash = hashOf(line);
    const slot = this.#slotOf(hash, source, line);
    if (this.#slots[slot] !== EMPTY) return undefined;
    const row = this.#count++;
    this.#reserve(line.pathEnd - line.pathStart);
    const bytes = this.#bytes;
    let to = this.#bytesUsed;
    for (let from = line.pathStart; from < line.pathEnd; from++, to++) bytes[to] = source[from]!;
    this.#starts[row + 1] = this.#bytesUsed = to;
    this.#externals[row] = line.externalNumber;
    this.#hashes[row] = hash;
    this.#slots[slot] = row + 1;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return row as Row;
  }

  /** The row of a line's path, if dest has it. */
  find(source: Uint8Array, line: PathOfLine): Row | undefined {
    const hash = hashOf(line);
    let row = this.#next;
    if (row >= this.#count || this.#hashes[row] !== hash || !this.#isAt(row, source, line)) {
      const found = this.#slots[this.#slotOf(hash, source, line)]!;
      if (found === EMPTY) return undefined;
      row = found - 1;
    }
    this.#next = row + 1;
    return row as Row;
  }

  /** What has been added. Nothing can be added or found any more. */
  list(): PathList {
    const columns = {
      count: this.#count,
      bytes: this.#bytes,
      starts: this.#starts,
      externals: this.#externals,
    };
    this.#slots = this.#hashes = new Int32Array();
    return new PathList(columns);
  }

  /** Where the line's path is, or belongs. */
  #slotOf(hash: number, source: Uint8Array, line: PathOfLine): number {
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
      this.#bytes = grown(this.#bytes, this.#bytes.length * 2 + pathBytes);
    }
    if (this.#count > this.#externals.length) {
      const length = this.#count * 2;
      this.#starts = grown(this.#starts, length + 1);
      this.#externals = grown(this.#externals, length);
      this.#hashes = grown(this.#hashes, length);
    }
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 4);
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
