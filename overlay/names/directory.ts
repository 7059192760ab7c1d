/**
 * The names in one directory.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import type { Ino } from "../../fuse/mod.ts";

/** A name, and its place in listings. */
export interface DirectoryEntry {
  readonly name: ByteString;
  readonly ino: Ino;
  readonly cookie: number;
}

/** Cookies 1 and 2 are for `.` and `..`. */
const FIRST_COOKIE = 3;

/** The names that a directory has in the base, which stay as they are. */
export interface FirstNames {
  readonly count: number;
  /** What can be found, but does not appear in listings, under the name that it has here. */
  readonly unlisted: Ino | undefined;
  name(at: number): ByteString;
  ino(at: number): Ino;
  find(name: ByteString): number | undefined;
}

const NONE: FirstNames = {
  count: 0,
  unlisted: undefined,
  name: () => "" as ByteString,
  ino: () => 0 as Ino,
  find: () => undefined,
};

/**
 * Names with their inodes. A listing goes by cookie, which only grows: what was there from the
 * beginning to the end of a listing appears once, whatever comes and goes meanwhile.
 *
 * What is in the base is not copied: only what has changed since takes memory.
 */
export class Directory {
  parent: Ino;
  readonly #first: FirstNames;
  /** Positions of first names that have been removed, or set anew. */
  readonly #hidden = new Set<number>();
  /** Names set since. */
  readonly #names = new Map<ByteString, DirectoryEntry>();
  /** By cookie. An entry that is no longer in the map has been removed. */
  #order: DirectoryEntry[] = [];
  #nextCookie: number;

  constructor(parent: Ino, first: FirstNames = NONE) {
    this.parent = parent;
    this.#first = first;
    this.#nextCookie = FIRST_COOKIE + first.count;
  }

  get size(): number {
    return this.#first.count - this.#hidden.size + this.#names.size;
  }

  get(name: ByteString): Ino | undefined {
    const known = this.#names.get(name);
    if (known !== undefined) return known.ino;
    const at = this.#first.find(name);
    return at === undefined || this.#hidden.has(at) ? undefined : this.#first.ino(at);
  }

  set(name: ByteString, ino: Ino): void {
    this.#hide(name);
    const entry = { name, ino, cookie: this.#nextCookie++ };
    this.#names.set(name, entry);
    this.#order.push(entry);
    this.#compact();
  }

  delete(name: ByteString): void {
    this.#hide(name);
    this.#names.delete(name);
    this.#compact();
  }

  /** Entries with a greater cookie, in order. */
  *after(cookie: number): Generator<DirectoryEntry> {
    const first = this.#first;
    for (let at = Math.max(0, cookie + 1 - FIRST_COOKIE); at < first.count; at++) {
      const ino = first.ino(at);
      if (this.#hidden.has(at) || ino === first.unlisted) continue;
      yield { name: first.name(at), ino, cookie: at + FIRST_COOKIE };
    }
    const order = this.#order;
    for (let at = firstAfter(order, cookie); at < order.length; at++) {
      const entry = order[at] as DirectoryEntry;
      if (this.#names.get(entry.name) === entry) yield entry;
    }
  }

  #hide(name: ByteString): void {
    const at = this.#first.find(name);
    if (at !== undefined) this.#hidden.add(at);
  }

  /** Drops removed entries when they are many. Listings go by cookie, so they do not notice. */
  #compact(): void {
    if (this.#order.length < 64 || this.#order.length < 2 * this.#names.size) return;
    this.#order = this.#order.filter((entry) => this.#names.get(entry.name) === entry);
  }
}

/** Position of the first entry with a cookie greater than `cookie`. */
function firstAfter(order: readonly DirectoryEntry[], cookie: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((order[middle] as DirectoryEntry).cookie > cookie) high = middle;
    else low = middle + 1;
  }
  return low;
}
