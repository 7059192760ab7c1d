/**
 * Unix sockets at long paths. The kernel takes 107 bytes; a diff may lie deeper than that, and
 * `/proc/self/fd/7/control.sock` is short wherever descriptor 7 leads.
 *
 * @module
 */

import { byteStringOf } from "../ffi/bytes.ts";
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
