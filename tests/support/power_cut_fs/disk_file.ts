/**
 * The bytes of one file on a disk that may lose power: what they are, and what is left of them.
 *
 * @module
 */

import type { Random } from "../random.ts";

/** What the disk writes as a whole, mostly. */
export const DISK_PAGE_SIZE_BYTES = 4096;
/** What the disk writes as a whole, always. */
const SECTOR_SIZE_BYTES = 512;

/** A length, and the pages that are not zeros. Pages are never changed, only replaced. */
export interface Bytes {
  sizeBytes: number;
  readonly pages: Map<number, Uint8Array>;
}

/** A change that has not been synced. */
type Change =
  | { readonly page: number; readonly bytes: Uint8Array; readonly endBytes: number }
  /** The length was set. */
  | { readonly cutAt: number };

/** How a power cut treats what has not been synced. */
export interface CutOptions {
  readonly random: Random;
  /** How likely a page survives. */
  readonly keeps: number;
  /** How likely a page that survives does so in part. */
  readonly tears: number;
}

/** A file, as it is and as it is on disk. */
export class DiskFile {
  readonly #now: Bytes;
  readonly #durable: Bytes;
  #changes: Change[] = [];

  /** @param durable What is on disk. */
  constructor(durable: Bytes = { sizeBytes: 0, pages: new Map() }) {
    this.#durable = durable;
    this.#now = { sizeBytes: durable.sizeBytes, pages: new Map(durable.pages) };
  }

  get sizeBytes(): number {
    return this.#now.sizeBytes;
  }

  get pagesCount(): number {
    return this.#now.pages.size;
  }

  /** @returns Bytes read into `target`; fewer than it has room for at the end of the file only. */
  read(offsetBytes: number, target: Uint8Array): number {
    const size = Math.max(0, Math.min(target.length, this.sizeBytes - offsetBytes));
    for (let at = 0; at < size;) {
      const { page, from, length } = pieceAt(offsetBytes + at, size - at);
      const bytes = this.#now.pages.get(page);
      if (bytes === undefined) target.fill(0, at, at + length);
      else target.set(bytes.subarray(from, from + length), at);
      at += length;
    }
    return size;
  }

  write(offsetBytes: number, source: Uint8Array): void {
    for (let at = 0; at < source.length;) {
      const { page, from, length } = pieceAt(offsetBytes + at, source.length - at);
      const bytes = this.#now.pages.get(page)?.slice() ?? new Uint8Array(DISK_PAGE_SIZE_BYTES);
      bytes.set(source.subarray(at, at + length), from);
      at += length;
      this.#change({ page, bytes, endBytes: offsetBytes + at });
    }
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes !== this.sizeBytes) this.#change({ cutAt: sizeBytes });
  }

  /** All is on disk now. */
  sync(): void {
    for (const change of this.#changes) apply(change, this.#durable);
    this.#changes = [];
  }

  /**
   * What is on disk when the power goes.
   *
   * As on a journaling file system with ordered data: pages reach the disk in any order, each or
   * not. Changes of the length are in order, and what was written behind a cut needs that cut. The
   * length never covers bytes that the file did not have, so no other file's bytes show.
   */
  cut({ random, keeps, tears }: CutOptions): Bytes {
    const left: Bytes = { sizeBytes: this.#durable.sizeBytes, pages: new Map(this.#durable.pages) };
    let lostCutAt = Infinity;
    for (const change of this.#changes) {
      if ("cutAt" in change) {
        if (lostCutAt === Infinity && random.chance(keeps)) apply(change, left);
        else lostCutAt = Math.min(lostCutAt, change.cutAt);
      } else if (change.page * DISK_PAGE_SIZE_BYTES < lostCutAt && random.chance(keeps)) {
        const isTorn = random.chance(tears);
        const bytes = isTorn ? torn(left.pages.get(change.page), change.bytes, random) : undefined;
        apply({ ...change, bytes: bytes ?? change.bytes }, left);
      }
    }
    return left;
  }

  #change(change: Change): void {
    this.#changes.push(change);
    apply(change, this.#now);
  }
}

function apply(change: Change, to: Bytes): void {
  if (!("cutAt" in change)) {
    to.pages.set(change.page, change.bytes);
    to.sizeBytes = Math.max(to.sizeBytes, change.endBytes);
    return;
  }
  const { cutAt } = change;
  if (cutAt < to.sizeBytes) {
    const { page, from } = pieceAt(cutAt, 1);
    for (const known of [...to.pages.keys()]) if (known > page) to.pages.delete(known);
    const tail = to.pages.get(page);
    if (from === 0) to.pages.delete(page);
    else if (tail !== undefined) to.pages.set(page, tail.slice().fill(0, from));
  }
  to.sizeBytes = cutAt;
}

/** Some sectors are new, the others old. */
function torn(old: Uint8Array | undefined, bytes: Uint8Array, random: Random): Uint8Array {
  const mixed = bytes.slice();
  for (let at = 0; at < DISK_PAGE_SIZE_BYTES; at += SECTOR_SIZE_BYTES) {
    if (random.chance(0.5)) continue;
    const sector = old?.subarray(at, at + SECTOR_SIZE_BYTES) ?? new Uint8Array(SECTOR_SIZE_BYTES);
    mixed.set(sector, at);
  }
  return mixed;
}

function pieceAt(offsetBytes: number, sizeBytesMax: number) {
  const page = Math.floor(offsetBytes / DISK_PAGE_SIZE_BYTES);
  const from = offsetBytes - page * DISK_PAGE_SIZE_BYTES;
  return { page, from, length: Math.min(DISK_PAGE_SIZE_BYTES - from, sizeBytesMax) };
}
