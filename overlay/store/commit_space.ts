/**
 * Space on disk for commits, taken beforehand.
 *
 * On a full disk, deleting files is what helps, and it helps only when it is committed. So the space
 * that commits need is allocated while there is some: behind the end of SQLite's files, which their
 * content and length do not show.
 *
 * @module
 */

import { besideStore } from "../../binding/mod.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { FALLOCATE, type Fd, OPEN, systemLibc } from "../../ffi/libc.ts";

/** The log is written again from its start after 1000 pages of 4 KiB, and some of the last commit. */
const LOG_SIZE_BYTES = 4_500_000;
/** What the database may grow by until the next look. */
const GROWTH_SIZE_BYTES = 1 << 20;
const COMMITS_A_LOOK = 64;

/** Keeps space behind a database and its write-ahead log. */
export class CommitSpace {
  readonly #database: Fd | undefined;
  readonly #log: Fd | undefined;
  #commits = 0;

  /** @param path Of the database, which is open, and stays so until {@link CommitSpace.close}. */
  constructor(path: string) {
    this.#database = tryOpen(path);
    this.#log = tryOpen(besideStore(path).log);
    this.#reserve();
  }

  /** Told of each commit. */
  committed(): void {
    if (++this.#commits % COMMITS_A_LOOK === 0) this.#reserve();
  }

  /** After the database is closed: closing a file lets go of all locks that this process has on it. */
  close(): void {
    for (const fd of [this.#database, this.#log]) if (fd !== undefined) systemLibc().close(fd);
  }

  #reserve(): void {
    const libc = systemLibc();
    const keep = (fd: Fd | undefined, sizeBytes: (now: number) => number) => {
      if (fd === undefined) return;
      try {
        const range = { offsetBytes: 0, sizeBytes: sizeBytes(libc.fstat(fd).sizeBytes) };
        libc.fallocate(fd, FALLOCATE.keepSize, range);
      } catch {
        // The disk is full already, or cannot do it: then commits take their chance.
      }
    };
    keep(this.#database, (now) => now + GROWTH_SIZE_BYTES);
    keep(this.#log, () => LOG_SIZE_BYTES);
  }
}

function tryOpen(path: string): Fd | undefined {
  try {
    return systemLibc().open(byteStringOf(path), OPEN.readWrite | OPEN.noFollow);
  } catch {
    return undefined;
  }
}
