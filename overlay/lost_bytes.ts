/**
 * Bytes that a program believes written, and that could not be.
 *
 * The kernel gathers writes. When it hands them on, nobody waits for the outcome, so the kernel
 * tells a failure at the next sync, once. A second sync would succeed without the bytes.
 *
 * @module
 */

import type { ByteRange } from "../ffi/libc.ts";
import type { Ino } from "../fuse/mod.ts";

interface Lost {
  from: number;
  end: number;
  readonly errno: number;
}

/** Remembers them, until they are written again or cut off. */
export class LostBytes {
  readonly #files = new Map<Ino, Lost>();

  /** The files that miss bytes, each with the errno to fail with. */
  *[Symbol.iterator](): Generator<readonly [Ino, number]> {
    for (const [ino, { errno }] of this.#files) yield [ino, errno];
  }

  /** 0, or the errno that syncs of the file fail with. */
  errnoOf(ino: Ino): number {
    return this.#files.get(ino)?.errno ?? 0;
  }

  /** A part of several that is lost becomes one, with what lies between. */
  add(ino: Ino, { offsetBytes, sizeBytes }: ByteRange, errno: number): void {
    const end = offsetBytes + sizeBytes;
    const known = this.#files.get(ino) ?? { from: offsetBytes, end, errno };
    const from = Math.min(known.from, offsetBytes);
    this.#files.set(ino, { from, end: Math.max(known.end, end), errno: known.errno });
  }

  written(ino: Ino, { offsetBytes, sizeBytes }: ByteRange): void {
    const lost = this.#files.get(ino);
    if (lost === undefined) return;
    const end = offsetBytes + sizeBytes;
    if (offsetBytes <= lost.from) lost.from = Math.max(lost.from, end);
    if (end >= lost.end) lost.end = Math.min(lost.end, offsetBytes);
    if (lost.from >= lost.end) this.#files.delete(ino);
  }

  cut(ino: Ino, sizeBytes: number): void {
    const lost = this.#files.get(ino);
    if (lost === undefined) return;
    lost.end = Math.min(lost.end, sizeBytes);
    if (lost.from >= lost.end) this.#files.delete(ino);
  }

  forget(ino: Ino): void {
    this.#files.delete(ino);
  }
}
