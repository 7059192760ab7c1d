/**
 * Data files kept ready for when no inode is left.
 *
 * They lie among the data files, under names that are none of theirs: the next mount deletes them,
 * as long as they are empty.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import { type Libc, OPEN } from "../../ffi/libc.ts";

/** What they are called. */
export const SPARE_NAME = /^spare\.\d+$/;

/** Empty files that can become data files. */
export class SpareFiles {
  readonly #libc: Libc;
  readonly #directory: ByteString;
  readonly #countMax: number;
  readonly #paths: ByteString[] = [];
  #made = 0;

  constructor(options: {
    readonly libc: Libc;
    readonly directory: ByteString;
    readonly countMax: number;
  }) {
    this.#libc = options.libc;
    this.#directory = options.directory;
    this.#countMax = options.countMax;
  }

  get isFull(): boolean {
    return this.#paths.length >= this.#countMax;
  }

  /** Makes as many as can be made. */
  fill(): void {
    try {
      while (!this.isFull) {
        const path = `${this.#directory}/spare.${this.#made++}` as ByteString;
        this.#libc.close(this.#libc.open(path, OPEN.readWrite | OPEN.create, 0o600));
        this.#paths.push(path);
      }
    } catch {
      // There is no inode left: the next look tries again.
    }
  }

  /** Gives one the name `path`. @returns false if there is none. */
  become(path: ByteString): boolean {
    const spare = this.#paths.pop();
    if (spare === undefined) return false;
    this.#libc.rename(spare, path);
    return true;
  }

  /** Deletes them. */
  remove(): void {
    for (const path of this.#paths.splice(0)) {
      try {
        this.#libc.unlink(path);
      } catch {
        // The next mount deletes what is called like this, and empty.
      }
    }
  }
}
