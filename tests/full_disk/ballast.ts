/**
 * A file that takes the space of a disk, so that it is soon full.
 *
 * @module
 */

import { byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { freeBytes } from "../support/small_disk.ts";

/** Space that can be given back. */
export class Ballast {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes as much as leaves `bytes`. */
  leave(bytes: number, dirPath: string): void {
    const libc = systemLibc();
    const fd = libc.open(byteStringOf(this.#path), OPEN.readWrite | OPEN.create, 0o600);
    try {
      const now = libc.fstat(fd).sizeBytes;
      const taken = Math.floor((now + freeBytes(dirPath) - bytes) / 4096) * 4096;
      if (taken > now) libc.fallocate(fd, 0, { offsetBytes: 0, sizeBytes: taken });
      else libc.ftruncate(fd, Math.max(0, taken));
    } finally {
      libc.close(fd);
    }
  }

  remove(): void {
    try {
      Deno.removeSync(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
