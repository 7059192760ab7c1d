/**
 * Which pages of a file the diff holds.
 *
 * @module
 */

import { PAGE_MAP_PART_SIZE_BYTES } from "./metadata_store.ts";

/** Pages that one stored part of a map tells of. */
export const PAGES_A_PART = PAGE_MAP_PART_SIZE_BYTES * 8;

/** A run of pages, all held by the diff or all not. */
export interface PageRun {
  readonly held: boolean;
  readonly first: number;
  readonly count: number;
}

/** A bit a page, in memory; remembers which of its parts have changed. */
export class PageMap {
  #bits = new Uint8Array(PAGE_MAP_PART_SIZE_BYTES);
  readonly #changed = new Set<number>();

  has(page: number): boolean {
    return ((this.#bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0;
  }

  /** Marks `count` pages from `first` on as held. */
  add(first: number, count: number): void {
    this.#grow(first + count);
    for (let page = first; page < first + count; page++) {
      if (this.has(page)) continue;
      this.#bits[page >> 3] = (this.#bits[page >> 3] ?? 0) | (1 << (page & 7));
      this.#changed.add(Math.floor(page / PAGES_A_PART));
    }
  }

  /** Forgets all pages from `first` on. @returns Whether there were any. */
  dropFrom(first: number): boolean {
    let dropped = false;
    for (let page = first; page < this.#bits.length * 8; page++) {
      if ((page & 7) === 0 && this.#bits[page >> 3] === 0) page += 7;
      else if (this.has(page)) {
        this.#bits[page >> 3] = (this.#bits[page >> 3] ?? 0) & ~(1 << (page & 7));
        this.#changed.add(Math.floor(page / PAGES_A_PART));
        dropped = true;
      }
    }
    return dropped;
  }

  /** The pages from `first` on, at most `countMax`, up to where held changes to not held. */
  run(first: number, countMax: number): PageRun {
    const held = this.has(first);
    let count = 1;
    while (count < countMax && this.has(first + count) === held) count++;
    return { held, first, count };
  }

  /** The last page held, or -1. */
  last(): number {
    let byte = this.#bits.length - 1;
    while (byte >= 0 && this.#bits[byte] === 0) byte--;
    return byte < 0 ? -1 : byte * 8 + 31 - Math.clz32(this.#bits[byte] as number);
  }

  /** How many pages are held. */
  count(): number {
    let count = 0;
    for (let byte of this.#bits) for (; byte !== 0; byte &= byte - 1) count++;
    return count;
  }

  /** Parts that have changed since they were taken last. */
  takeChanged(): number[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** Marks parts as changed again, since storing them has failed. */
  markChanged(parts: Iterable<number>): void {
    for (const part of parts) this.#changed.add(part);
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** A copy of a part. */
  part(part: number): Uint8Array<ArrayBuffer> {
    const at = part * PAGE_MAP_PART_SIZE_BYTES;
    const copy = new Uint8Array(PAGE_MAP_PART_SIZE_BYTES);
    copy.set(this.#bits.subarray(at, at + PAGE_MAP_PART_SIZE_BYTES));
    return copy;
  }

  /** Takes a part over, as it was stored. */
  setPart(part: number, bits: Uint8Array): void {
    this.#grow((part + 1) * PAGES_A_PART);
    this.#bits.set(bits, part * PAGE_MAP_PART_SIZE_BYTES);
  }

  #grow(pages: number): void {
    if (pages <= this.#bits.length * 8) return;
    const parts = Math.ceil(Math.max(pages, this.#bits.length * 16) / PAGES_A_PART);
    const grown = new Uint8Array(parts * PAGE_MAP_PART_SIZE_BYTES);
    grown.set(this.#bits);
    this.#bits = grown;
  }
}
