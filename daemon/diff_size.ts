/**
 * What a diff takes on disk.
 *
 * To know, each of its files is looked at, of which there may be very many. So it is counted a little
 * at a time, and who asks gets an answer soon: the last count, and how old it is.
 *
 * @module
 */

import { DIFF_NAMES } from "../binding/mod.ts";
import { type ByteString, byteStringOf } from "../ffi/bytes.ts";
import { TYPE } from "../ffi/file_type.ts";
import { type Fd, type Libc, OPEN } from "../ffi/libc.ts";
import type { DiffSize } from "../observe/mod.ts";

type Part = "dataBytes" | "walBytes" | "otherBytes";

const DIRECTORY = OPEN.readOnly | OPEN.directory | OPEN.noFollow;

/** What is only reserved, and what is counted apart. */
const NOT_COUNTED: readonly string[] = [DIFF_NAMES.reserve, DIFF_NAMES.lostAndFound];
const PARTS: Readonly<Record<string, Part>> = {
  [DIFF_NAMES.data]: "dataBytes",
  [DIFF_NAMES.wal]: "walBytes",
};

/** How long this thread counts before it looks what else there is to do. */
const SLICE_MS = 5;
/** How long somebody who asks waits for a new count. */
const WAIT_MS = 500;
/** A count that took longer than this is used for ten times as long. */
const QUICK_MS = 100;
/** Directories in directories; PostgreSQL makes one below `wal`. */
const DEPTH_MAX = 8;

/** Counts one diff. What disappears meanwhile does not count. */
export class DiffMeter {
  readonly #path: ByteString;
  readonly #libc: Libc;
  #counting: Promise<void> | undefined;
  #sums: Record<Part, number> = { dataBytes: 0, walBytes: 0, otherBytes: 0 };
  #last: { readonly sums: Readonly<Record<Part, number>>; readonly atMs: number } | undefined;
  #dueMs = -Infinity;

  constructor(diffPath: string, libc: Libc) {
    this.#path = byteStringOf(diffPath);
    this.#libc = libc;
  }

  /** @param waitMs How long a new count is waited for. */
  async size(waitMs = WAIT_MS): Promise<DiffSize> {
    if (performance.now() >= this.#dueMs) {
      this.#counting ??= this.#count().finally(() => this.#counting = undefined);
    }
    if (this.#counting !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      await Promise.race([this.#counting, promise]);
      clearTimeout(timer);
    }
    if (this.#last === undefined) return { ...this.#sums, ageSeconds: 0, isComplete: false };
    const ageSeconds = Math.round((performance.now() - this.#last.atMs) / 1000);
    return { ...this.#last.sums, ageSeconds, isComplete: true };
  }

  async #count(): Promise<void> {
    this.#sums = { dataBytes: 0, walBytes: 0, otherBytes: 0 };
    const start = performance.now();
    let sliceEnd = start + SLICE_MS;
    for (const [part, bytes] of this.#walk()) {
      this.#sums[part] += bytes;
      if (performance.now() < sliceEnd) continue;
      await new Promise((resolve) => setTimeout(resolve));
      sliceEnd = performance.now() + SLICE_MS;
    }
    const end = performance.now();
    this.#last = { sums: this.#sums, atMs: end };
    this.#dueMs = end - start < QUICK_MS ? end : end + 10 * (end - start);
  }

  *#walk(): Generator<readonly [Part, number]> {
    for (const [name, bytes] of this.#spaceIn(() => this.#libc.open(this.#path, DIRECTORY), 0)) {
      if (!NOT_COUNTED.includes(name)) yield [PARTS[name] ?? "otherBytes", bytes];
    }
  }

  /** Space of a directory and of what is in it, by the names in the directory; its own is "". */
  *#spaceIn(open: () => Fd, depth: number): Generator<readonly [string, number]> {
    const libc = this.#libc;
    const fd = ifThere(open);
    if (fd === undefined) return;
    try {
      yield ["", libc.fstat(fd).blocks512 * 512];
      for (const name of libc.names(fd)) {
        const status = ifThere(() => libc.statAt(fd, name));
        if (status === undefined) continue;
        if ((status.mode & TYPE.mask) !== TYPE.directory) yield [name, status.blocks512 * 512];
        else if (depth < DEPTH_MAX) {
          const inside = this.#spaceIn(() => libc.openAt(fd, name, DIRECTORY), depth + 1);
          for (const [, bytes] of inside) yield [name, bytes];
        }
      }
    } finally {
      libc.close(fd);
    }
  }
}

function ifThere<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined; // It has gone meanwhile, or is not ours to look at.
  }
}
