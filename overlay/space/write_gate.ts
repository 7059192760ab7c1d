/**
 * Has the kernel ask before it accepts a write.
 *
 * A kernel that does not know a file's mode asks for it before a write, by a GETATTR that carries the
 * open file, and fails the write with what that fails with. Reads, `lseek`, `stat` and syncs do not
 * ask so, as long as the time that attributes are valid for has not passed. So the kernel is made to
 * forget the attributes of files that must ask, and must not take over those that it is told:
 *
 * - It discards what it is told if it was told to forget since it had asked. So it is told to forget
 *   just before an answer; `stat` gets that answer all the same.
 * - A file that it has not met is new to it: the name comes with attributes that are not valid, so
 *   that opening the file asks for them; these it must take over, and forget a moment later.
 * - What answers a change must be taken over, too: before Linux 6.17 it always is, and since then the
 *   time of a discarded one has passed. So it is told to forget some time later.
 *
 * What is written in such a moment is what the reserve is for.
 *
 * Source: fuse_cache_write_iter(), fuse_update_get_attr(), fuse_change_attributes(),
 * fuse_do_setattr() and fuse_reverse_inval_inode() of Linux.
 *
 * @module
 */

import type { AttributesAnswer, Ino, Kernel } from "../../fuse/mod.ts";

/** An answer is taken over by the process that waits for it, when it gets to run. */
const AGAIN_AFTER_MS = 30;
const TIMES_AGAIN = 4;

/** Sees to it that the kernel does not keep attributes of files that must ask. */
export class WriteGate {
  readonly #clock: () => number;
  #kernel: Kernel | undefined;
  /** Told lately, and how often the kernel is still to be reminded. */
  readonly #told = new Map<Ino, number>();
  /** Files of which the kernel has no attributes that are valid. */
  readonly #new = new Set<Ino>();
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
    this.#new.clear();
  }

  /** The kernel meets a file that must ask. */
  isNew(ino: Ino): void {
    this.#new.add(ino);
  }

  /** The kernel is about to be told the attributes of a file that must ask. */
  telling(ino: Ino, answer: AttributesAnswer): void {
    if (answer !== "change" && !this.#new.has(ino)) this.#kernel?.forgetAttributes(ino);
  }

  /** It was told. */
  told(ino: Ino, answer: AttributesAnswer): void {
    if (answer === "entry") return;
    const wasNew = this.#new.delete(ino);
    if (answer === "asked" && !wasNew) return;
    if (wasNew) this.#kernel?.forgetAttributes(ino);
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
