/**
 * The page map of one file: a bitmap of the pages that the diff holds.
 *
 * @module
 */

import { PAGE_MAP_PART_SIZE_BYTES } from "../store/metadata_store.ts";

/** Pages that one stored part of a map tells of. */
export const PAGES_A_PART = PAGE_MAP_PART_SIZE_BYTES * 8;

/** A run of pages, all held by the diff or all not. */
export interface PageRun {
  readonly held: boolean;
  readonly first: number;
  readonly count: number;
}

/** A bit a page, the lowest bit of a byte first. */
type Part = Uint8Array<ArrayBuffer>;

/**
 * A bit a page, in memory; remembers which of its parts have changed. Parts of which no page is
 * held are left out, so that a page at the end of a very long file takes little memory.
 */
export class PageMap {
  readonly #parts = new Map<number, Part>();
  readonly #changed = new Set<number>();
  /** Of parts to which pages were added since: which of them were there at the last commit. */
  readonly #committed = new Map<number, Part>();

  has(page: number): boolean {
    const part = this.#parts.get(partOf(page));
    return part !== undefined && isSet(part, page % PAGES_A_PART);
  }

  /** Marks `count` pages from `first` on as held. */
  add(first: number, count: number): void {
    for (let page = first; page < first + count; page++) {
      const number = partOf(page);
      const part = this.#part(number);
      const at = page % PAGES_A_PART;
      if (isSet(part, at)) continue;
      if (!this.#committed.has(number)) this.#committed.set(number, part.slice());
      part[at >> 3] = part[at >> 3]! | (1 << (at & 7));
      this.#changed.add(number);
    }
  }

  /** Forgets all pages from `first` on. @returns Whether there were any. */
  dropFrom(first: number): boolean {
    let dropped = false;
    for (const [number, part] of this.#parts) {
      for (let at = Math.max(0, first - number * PAGES_A_PART); at < PAGES_A_PART; at++) {
        if ((at & 7) === 0 && part[at >> 3] === 0) at += 7;
        else if (isSet(part, at)) {
          clearBit(part, at);
          this.#changed.add(number);
          // It is not to come back, whatever becomes of what is written there next.
          const committed = this.#committed.get(number);
          if (committed !== undefined) clearBit(committed, at);
          dropped = true;
        }
      }
    }
    return dropped;
  }

  /** The pages from `first` on, at most `countMax`, up to where held changes to not held. */
  run(first: number, countMax: number): PageRun {
    const held = this.has(first);
    const end = first + countMax;
    let page = first + 1;
    while (page < end) {
      const part = this.#parts.get(partOf(page));
      const partEnd = Math.min(end, (partOf(page) + 1) * PAGES_A_PART);
      if (part === undefined) {
        if (held) break;
        page = partEnd;
        continue;
      }
      while (page < partEnd && isSet(part, page % PAGES_A_PART) === held) page++;
      if (page < partEnd) break;
    }
    return { held, first, count: page - first };
  }

  /** The last page held, or -1. */
  last(): number {
    let last = -1;
    for (const [number, part] of this.#parts) {
      if ((number + 1) * PAGES_A_PART <= last) continue;
      let byte = part.length - 1;
      while (byte >= 0 && part[byte] === 0) byte--;
      if (byte < 0) continue;
      last = Math.max(last, number * PAGES_A_PART + byte * 8 + 31 - Math.clz32(part[byte]!));
    }
    return last;
  }

  /** How many pages are held, of those before `end`. */
  count(end = Infinity): number {
    let count = 0;
    for (const [number, part] of this.#parts) {
      const pages = Math.min(PAGES_A_PART, end - number * PAGES_A_PART);
      for (let at = 0; at < pages; at += 8) {
        const left = pages - at;
        let byte = part[at >> 3]! & (left < 8 ? (1 << left) - 1 : 0xff);
        for (; byte !== 0; byte &= byte - 1) count++;
      }
    }
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

  /** A part was committed as it was then. */
  committed(part: number, bits: Uint8Array): void {
    if (!this.#committed.has(part)) return;
    const now = this.part(part);
    const kept = now.map((byte, at) => byte & (bits[at] as number));
    if (kept.every((byte, at) => byte === now[at])) this.#committed.delete(part);
    else this.#committed.set(part, kept);
  }

  /** Forgets the pages that were added and not committed. */
  revert(): void {
    for (const [part, bits] of this.#committed) {
      this.setPart(part, this.part(part).map((byte, at) => byte & (bits[at] as number)));
      this.#changed.add(part);
    }
    this.#committed.clear();
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** A copy of a part. */
  part(part: number): Part {
    return this.#parts.get(part)?.slice() ?? new Uint8Array(PAGE_MAP_PART_SIZE_BYTES);
  }

  /** Takes a part over, as it was stored. */
  setPart(part: number, bits: Uint8Array): void {
    this.#part(part).set(bits);
  }

  #part(number: number): Part {
    let part = this.#parts.get(number);
    if (part === undefined) {
      part = new Uint8Array(PAGE_MAP_PART_SIZE_BYTES);
      this.#parts.set(number, part);
    }
    return part;
  }
}

function partOf(page: number): number {
  return Math.floor(page / PAGES_A_PART);
}

function isSet(part: Part, at: number): boolean {
  return (part[at >> 3]! & (1 << (at & 7))) !== 0;
}

function clearBit(part: Part, at: number): void {
  part[at >> 3] = part[at >> 3]! & ~(1 << (at & 7));
}
