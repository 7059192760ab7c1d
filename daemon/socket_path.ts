/**
 * Unix sockets at long paths. The kernel takes 107 bytes; a diff may lie deeper than that, and
 * `/proc/self/fd/7/control.sock` is short wherever descriptor 7 leads.
 *
 * @module
 */

import { ERRNO, errnoOf, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { TYPE } from "../ffi/file_type.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";

/** `sun_path` of `struct sockaddr_un` has 108 bytes, one of them for the zero at the end. */
const PATH_BYTES_MAX = 107;

/**
 * Calls `use` with a path that a socket takes and that leads to the same file as `path`.
 *
 * @throws What `use` throws; `Deno.errors.NotFound` if there is no such directory.
 */
export async function withSocketPath<T>(
  path: string,
  use: (path: string) => T | Promise<T>,
): Promise<T> {
  if (byteStringOf(path).length <= PATH_BYTES_MAX) return await use(path);
  const slash = path.lastIndexOf("/");
  const directory = path.slice(0, slash);
  Deno.statSync(directory);
  const libc = systemLibc();
  const fd = libc.open(byteStringOf(directory), OPEN.readOnly | OPEN.directory);
  try {
    return await use(`/proc/self/fd/${fd}/${path.slice(slash + 1)}`);
  } finally {
    libc.close(fd);
  }
}

/**
 * Calls `use` with a path that means the socket that is at `path` now. A link is none: who owns the
 * directory must not have root talk to somebody else's socket.
 *
 * @throws What `use` throws; `Deno.errors.NotFound` if there is no such socket,
 * `Deno.errors.PermissionDenied` if we may not look.
 */
export async function withSocketAt<T>(
  path: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const libc = systemLibc();
  let fd;
  try {
    fd = libc.open(byteStringOf(path), OPEN.pathOnly | OPEN.noFollow);
  } catch (error) {
    if (!(error instanceof PbkfsError)) throw error;
    const { PermissionDenied, NotFound } = Deno.errors;
    if (errnoOf(error) === ERRNO.EACCES) throw new PermissionDenied(error.message);
    throw new NotFound(error.message);
  }
  try {
    if ((libc.fstat(fd).mode & TYPE.mask) !== TYPE.socket) {
      throw new Deno.errors.NotFound(`"${path}" is not a socket`);
    }
    return await use(`/proc/self/fd/${fd}`);
  } finally {
    libc.close(fd);
  }
}
