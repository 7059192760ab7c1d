/**
 * A disk without room, or a quota that is used up, when a mount begins or ends: with a code of its
 * own, and with what to do.
 *
 * @module
 */

import { diskFullErrno, errnoName, PbkfsError } from "../errors.ts";

/** The same error, unless it is that of a full disk. @param diffPath Where the mount writes. */
export function startOnFullDisk(error: unknown, diffPath: string): unknown {
  const errno = diskFullErrno(error);
  if (errno === undefined || isTold(error)) return error;
  return new PbkfsError("DiskFull", {
    what: `The diff "${diffPath}" cannot be mounted: there is no room where it lies ` +
      `(${errnoName(errno)}); it is as it was`,
    todo: "Free some space there, or raise the quota, and mount again.",
    errno,
    cause: error,
  });
}

/** The same error, unless it is that of a full disk. */
export function endOnFullDisk(error: unknown, diffPath: string): unknown {
  const errno = diskFullErrno(error);
  if (errno === undefined || isTold(error)) return error;
  return new PbkfsError("DiskFull", {
    what: `Unmounted, but there is no room where "${diffPath}" lies (${errnoName(errno)}): ` +
      `what was synced is there, of what was written since some may be missing`,
    todo:
      "Free some space there, or raise the quota; then mount again, and repeat what is missing.",
    errno,
    cause: error,
  });
}

function isTold(error: unknown): boolean {
  return error instanceof PbkfsError && error.code === "DiskFull";
}
