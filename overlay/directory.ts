/**
 * The names in one directory.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";
import type { Ino } from "../fuse/mod.ts";

/** A name, and its place in listings. */
export interface DirectoryEntry {
  readonly name: ByteString;
  readonly ino: Ino;
  readonly cookie: number;
}

/** Cookies 1 and 2 are for `.` and `..`. */
const FIRST_COOKIE = 3;

/**
 * Names with their inodes. A listing goes by cookie, which only grows: what was there from the
 * beginning to the end of a listing appears once, whatever comes and goes meanwhile.
 */
export class Directory {
  parent: Ino;
  readonly #names = new Map<ByteString, DirectoryEntry>();
  /** By cookie. An entry that is no longer in the map has been removed. */
  #order: DirectoryEntry[] = [];
  #nextCookie = FIRST_COOKIE;

  constructor(parent: Ino) {
    this.parent = parent;
  }

  get size(): number {
    return this.#names.size;
  }

  get(name: ByteString): Ino | undefined {
    return this.#names.get(name)?.ino;
  }

  set(name: ByteString, ino: Ino): void {
    const entry = { name, ino, cookie: this.#nextCookie++ };
    this.#names.set(name, entry);
    this.#order.push(entry);
    this.#compact();
  }

  delete(name: ByteString): void {
    this.#names.delete(name);
    this.#compact();
  }

  names(): IterableIterator<DirectoryEntry> {
    return this.#names.values();
  }

  /** Entries with a greater cookie, in order. */
  *after(cookie: number): Generator<DirectoryEntry> {
    const order = this.#order;
    for (let at = firstAfter(order, cookie); at < order.length; at++) {
      const entry = order[at] as DirectoryEntry;
      if (this.#names.get(entry.name) === entry) yield entry;
    }
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
