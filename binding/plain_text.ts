/**
 * Reads the small files of a diff. It may be somebody else's than who asks, root for example: what
 * is no plain file of its owner is not read, and nobody is kept waiting.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import { openFileBeneath } from "../ffi/open_beneath.ts";

/** Longer than any text of ours. */
const SIZE_BYTES_MAX = 1 << 20;

/**
 * The text of a file.
 *
 * @returns undefined if there is none.
 * @throws {PbkfsError} `Io` with the errno: EACCES if it is not to be read, EINVAL if it is no plain
 * file, or one that we have not made.
 */
export function readPlainText(dirPath: string, name: string): string | undefined {
  const libc = systemLibc();
  const refuse = (why: string): never => {
    throw new PbkfsError("Io", { what: `"${dirPath}/${name}" ${why}`, errno: ERRNO.EINVAL });
  };
  let directory;
  try {
    directory = libc.open(byteStringOf(dirPath), OPEN.pathOnly | OPEN.directory);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
    throw error;
  }
  try {
    const opened = openFileBeneath(libc, directory, byteStringOf(name));
    if (opened === undefined) return refuse("is no plain file");
    const { fd, status } = opened;
    try {
      const { uid } = libc.fstat(directory);
      if (status.uid !== uid && Deno.uid() === 0) {
        return refuse(`belongs to user ${status.uid}, the diff to user ${uid}`);
      }
      if (status.sizeBytes > SIZE_BYTES_MAX) return refuse(`has ${status.sizeBytes} bytes`);
      const { bytes, address } = allocate(Math.max(1, status.sizeBytes));
      const range = { offsetBytes: 0, sizeBytes: status.sizeBytes };
      return new TextDecoder().decode(bytes.subarray(0, libc.pread(fd, address, range)));
    } finally {
      libc.close(fd);
    }
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    if (isErrno(error, ERRNO.ELOOP)) return refuse("is a symbolic link");
    throw error;
  } finally {
    libc.close(directory);
  }
}

function isErrno(error: unknown, ...numbers: readonly number[]): boolean {
  return error instanceof PbkfsError && error.errno !== undefined && numbers.includes(error.errno);
}
