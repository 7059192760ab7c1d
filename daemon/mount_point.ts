/**
 * A mount directory while something is being mounted on it: two mounts at the same time would end
 * up one on the other.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { asRoot } from "../ffi/credentials.ts";
import { type Fd, FLOCK, type Libc, OPEN } from "../ffi/libc.ts";
import { openPlainDirectory } from "../ffi/open_beneath.ts";
import { checkOpenedMountDir } from "./environment.ts";

/**
 * Claims a mount directory for this process, and checks it once more.
 *
 * @returns Gives it up. To be called when the mount is there: the kernel's list of mounts keeps
 * others away from then on.
 * @throws {PbkfsError} `MountDirBusy` and what {@link checkMountDir} throws.
 */
export function claimMountPoint(path: string, libc: Libc): () => void {
  return asRoot(() => claim(path, libc));
}

function claim(path: string, libc: Libc): () => void {
  const fd = openPlainDirectory(libc, byteStringOf(path), OPEN.readOnly | OPEN.noFollow);
  try {
    if (!tryLock(fd, libc)) {
      throw new PbkfsError("MountDirBusy", {
        what: `Another process is mounting something on "${path}" right now`,
        todo: "Give another directory with -D.",
      });
    }
    checkOpenedMountDir(path, fd);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  let isGivenUp = false;
  return () => {
    if (!isGivenUp) libc.close(fd);
    isGivenUp = true;
  };
}

/** Not every file system can lock a directory: then there is only the check. */
function tryLock(fd: Fd, libc: Libc): boolean {
  try {
    return libc.flock(fd, FLOCK.exclusive | FLOCK.nonBlocking);
  } catch {
    return true;
  }
}
