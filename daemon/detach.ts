/**
 * Unmounting: as root by the system call, as another user through programs.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { isRootBehind } from "../ffi/credentials.ts";
import type { Libc } from "../ffi/libc.ts";
import { unmountAt } from "../ffi/mount_point.ts";
import { unmountByProgram } from "./unmount_programs.ts";

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
  const outcome = await unmountByProgram(mountPath, options);
  if (outcome === "done") return;
  if (outcome.why === "busy") throw busy(mountPath, outcome.said);
  throw new PbkfsError("MountFailed", {
    what: `"${mountPath}" could not be unmounted: ${outcome.said}`,
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
