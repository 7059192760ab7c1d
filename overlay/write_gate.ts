/**
 * Has the kernel ask before it accepts a write.
 *
 * A kernel that does not know a file's mode asks for it before a write, by a GETATTR that carries the
 * open file, and fails the write with what that fails with. Reads, `lseek`, `stat` and syncs do not
 * ask so. So the kernel is made to forget the attributes of files that must ask, and again after each
 * answer that tells them.
 *
 * Source: fuse_cache_write_iter(), fuse_update_get_attr(), fuse_reverse_inval_inode() of Linux.
 *
 * @module
 */

import type { Ino, Kernel } from "../fuse/mod.ts";

/**
 * An answer is taken over by the process that waits for it, when it gets to run. The kernel discards
 * what was answered to GETATTR before it was told to forget, but not what was answered to SETATTR.
 */
const AGAIN_AFTER_MS = 30;
const TIMES_AGAIN = 4;

/** Sees to it that the kernel does not keep attributes of files that must ask. */
export class WriteGate {
  readonly #clock: () => number;
  #kernel: Kernel | undefined;
  /** Told lately, and how often the kernel is still to be reminded. */
  readonly #told = new Map<Ino, number>();
  #againMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  attach(kernel: Kernel): void {
    this.#kernel = kernel;
  }

  /** Before the next write to any of these files, the kernel asks. */
  close(files: Iterable<Ino>): void {
    for (const ino of files) this.#kernel?.forgetAttributes(ino);
  }

  /** No file needs to ask any more. */
  open(): void {
    this.#told.clear();
  }

  /** The kernel was told the attributes of a file that must ask. */
  told(ino: Ino): void {
    this.#kernel?.forgetAttributes(ino);
    if (this.#told.size === 0) this.#againMs = this.#clock() + AGAIN_AFTER_MS;
    this.#told.set(ino, TIMES_AGAIN);
  }

  /** Milliseconds until {@link WriteGate.remind} is due; undefined: never. */
  dueMs(): number | undefined {
    return this.#told.size === 0 ? undefined : Math.max(0, this.#againMs - this.#clock());
  }

  remind(): void {
    this.#againMs = this.#clock() + AGAIN_AFTER_MS;
    for (const [ino, times] of this.#told) {
      this.#kernel?.forgetAttributes(ino);
      if (times > 1) this.#told.set(ino, times - 1);
      else this.#told.delete(ino);
    }
  }
}
