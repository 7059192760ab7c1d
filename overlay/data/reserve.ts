/**
 * Space on disk that is kept for what has been accepted.
 *
 * The kernel gathers writes: a program believes them made, and the diff's file system has not been
 * asked. So space for all that the kernel may hold is taken beforehand, as a file that is allocated
 * and never written. When the disk is full, that file is cut, and what was accepted goes there.
 * Unlike a look at what is free, it also keeps what a quota leaves.
 *
 * The dispatcher and the committer each have one for the same file: its length is all that counts.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import { type Fd, type Libc, OPEN } from "../../ffi/libc.ts";
import { openDiffFile } from "../../ffi/open_beneath.ts";

/** The least that is taken at a time: smaller steps would only be repeated. */
const STEP_SIZE_BYTES = 1 << 18;

/** A file that is cut when space is needed. */
export class Reserve {
  readonly #libc: Libc;
  readonly #path: ByteString;
  readonly #fd: Fd;
  /** What it is to hold; 0 for who only takes. */
  readonly targetBytes: number;

  /**
   * Opens the file, and makes it if it is to hold something; {@link Reserve.fill} gives it its space.
   */
  constructor(options: {
    readonly libc: Libc;
    readonly path: ByteString;
    readonly targetBytes: number;
  }) {
    this.#libc = options.libc;
    this.#path = options.path;
    this.targetBytes = options.targetBytes;
    const create = this.targetBytes > 0 ? OPEN.create : 0;
    this.#fd = openDiffFile(this.#libc, this.#path, OPEN.readWrite | create, 0o600);
    // After a crash, a longer one may be there.
    if (this.targetBytes > 0 && this.sizeBytes > this.targetBytes) this.#cut(this.targetBytes);
  }

  /** What it holds. */
  get sizeBytes(): number {
    const { sizeBytes, blocks512 } = this.#libc.fstat(this.#fd);
    // Who cut it while it was being filled has left a hole.
    return Math.min(sizeBytes, blocks512 * 512);
  }

  get isFull(): boolean {
    return this.sizeBytes >= this.targetBytes;
  }

  /**
   * Gives space back to the file system, for a write that then finds it.
   *
   * @returns false if there is nothing left.
   */
  take(sizeBytes: number): boolean {
    const now = this.#libc.fstat(this.#fd).sizeBytes;
    if (now === 0) return false;
    try {
      this.#cut(Math.max(0, now - Math.max(sizeBytes, STEP_SIZE_BYTES)));
      return true;
    } catch {
      return false; // btrfs wants space for that as well, and a quota leaves none.
    }
  }

  /**
   * Takes what is missing.
   *
   * @param beyondBytes What must be free besides.
   * @throws {PbkfsError} ENOSPC or EDQUOT if there is not so much: it is as long as before then.
   */
  fill(beyondBytes: number): void {
    const before = this.sizeBytes;
    const range = { offsetBytes: 0, sizeBytes: this.targetBytes + beyondBytes };
    try {
      this.#libc.fallocate(this.#fd, 0, range);
      this.#cut(this.targetBytes);
    } catch (error) {
      this.#cut(before);
      throw error;
    }
  }

  close(): void {
    this.#libc.close(this.#fd);
  }

  /** Gives all of it back. */
  remove(): void {
    this.#cut(0);
    this.close();
    this.#libc.unlink(this.#path);
  }

  #cut(sizeBytes: number): void {
    this.#libc.ftruncate(this.#fd, sizeBytes);
  }
}
