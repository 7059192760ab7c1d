/**
 * Files by system calls, so that a test sees each errno.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { type Fd, OPEN, systemLibc } from "../../ffi/libc.ts";
import { addressOf, allocate } from "../../ffi/memory.ts";

/** 0, or the errno that a system call ended with. */
export function errnoFrom(body: () => void): number {
  try {
    body();
    return 0;
  } catch (error) {
    if (error instanceof PbkfsError) return error.errno;
    throw error;
  }
}

/** A file that is open for reading and writing. `using` it closes it. */
export class RawFile {
  readonly fd: Fd;

  /** Opens a file, and makes it if there is none. */
  constructor(path: string) {
    this.fd = systemLibc().open(byteStringOf(path), OPEN.readWrite | OPEN.create, 0o600);
  }

  write(offsetBytes: number, bytes: Uint8Array<ArrayBuffer>): void {
    const range = { offsetBytes, sizeBytes: bytes.length };
    systemLibc().pwrite(this.fd, addressOf(bytes), range);
  }

  read(offsetBytes: number, sizeBytes: number): Uint8Array {
    const buffer = allocate(sizeBytes);
    const done = systemLibc().pread(this.fd, buffer.address, { offsetBytes, sizeBytes });
    return buffer.bytes.subarray(0, done);
  }

  sync(): void {
    systemLibc().fsync(this.fd);
  }

  /** Where `lseek` says that the file ends. */
  end(): number {
    using file = Deno.openSync(`/proc/self/fd/${this.fd}`);
    return file.seekSync(0, Deno.SeekMode.End);
  }

  reserve(offsetBytes: number, sizeBytes: number): void {
    systemLibc().fallocate(this.fd, 0, { offsetBytes, sizeBytes });
  }

  [Symbol.dispose](): void {
    try {
      systemLibc().close(this.fd);
    } catch {
      // What could not be written back is told once more; sync() has told it.
    }
  }
}

/** Syncs a directory. */
export function syncDirectory(path: string): void {
  const libc = systemLibc();
  const fd = libc.open(byteStringOf(path), OPEN.readOnly | OPEN.directory);
  try {
    libc.fsync(fd);
  } finally {
    libc.close(fd);
  }
}

/** `sizeBytes` bytes, all of them `fill`. */
export function filled(fill: number, sizeBytes = 8192): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sizeBytes).fill(fill);
}
