/**
 * Unmounting: as root by the system call, as another user through `fusermount3`.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { isRootBehind } from "../ffi/credentials.ts";
import type { Libc } from "../ffi/libc.ts";
import { unmountAt } from "../ffi/mount_point.ts";

/**
 * Unmounts. The kernel first writes everything back, so another thread must serve it.
 *
 * @param options.lazy Hides the mount at once; it ends when nobody uses it any more.
 * @throws {PbkfsError} `MountBusy` if files in it are open.
 */
export async function detach(
  mountPath: string,
  libc: Libc,
  options: { readonly lazy: boolean } = { lazy: false },
): Promise<void> {
  if (isRootBehind()) {
    try {
      unmountAt(libc, byteStringOf(mountPath), options);
    } catch (error) {
      const isBusy = error instanceof PbkfsError && error.errno === ERRNO.EBUSY;
      throw isBusy ? busy(mountPath, error) : error;
    }
    return;
  }
  const { success, stderr } = await new Deno.Command("fusermount3", {
    args: ["-u", ...(options.lazy ? ["-z"] : []), "--", mountPath],
    cwd: "/",
    env: { LC_ALL: "C" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  const message = new TextDecoder().decode(stderr).trim();
  if (/busy/i.test(message)) throw busy(mountPath, message);
  throw new PbkfsError("MountFailed", {
    what: `fusermount3 could not unmount "${mountPath}": ${message}`,
    todo: "Unmount it as the user who mounted it.",
  });
}

function busy(mountPath: string, cause: unknown): PbkfsError {
  return new PbkfsError("MountBusy", {
    what: `"${mountPath}" is in use`,
    todo: "Stop what uses it, a PostgreSQL server perhaps, and unmount again.",
    cause,
  });
}
