/**
 * The space of files: where they have bytes, and whether those are on disk.
 *
 * @module
 */

import { ERRNO } from "../../errors.ts";
import { allocate } from "../memory.ts";
import type { Calls } from "./calls.ts";
import type { Libc } from "./types.ts";

const SEEK = { data: 3, hole: 4 } as const;

/** ext2 to ext4, XFS, btrfs, tmpfs. Source: linux/magic.h. */
const SYNCED_AS_A_WHOLE = [0xef53, 0x58465342, 0x9123683e, 0x01021994];

const SYNC_FILE_RANGE_WAIT_BEFORE = 1;

/** The calls about the space of files. */
type SpaceCalls = Pick<
  Libc,
  | "seek"
  | "ftruncate"
  | "fallocate"
  | "fdatasync"
  | "fsync"
  | "syncFileSystem"
  | "writeError"
  | "fstatvfs"
>;

/** Makes the calls that change where a file has bytes, or bring them to disk. */
export function spaceCalls(calls: Calls): SpaceCalls {
  const { symbols, took, failure, fail, check } = calls;
  const status = allocate(256);
  return {
    seek(fd, offsetBytes, what) {
      const found = took(Number(symbols.lseek(fd, offsetBytes, SEEK[what])));
      if (found >= 0) return found;
      return failure() === ERRNO.ENXIO ? undefined : fail("lseek", `descriptor ${fd}`);
    },
    ftruncate(fd, sizeBytes) {
      check(took(symbols.ftruncate(fd, sizeBytes)), "ftruncate", fd);
    },
    fallocate(fd, mode, { offsetBytes, sizeBytes }) {
      check(took(symbols.fallocate(fd, mode, offsetBytes, sizeBytes)), "fallocate", fd);
    },
    fdatasync(fd) {
      check(took(symbols.fdatasync(fd)), "fdatasync", fd);
    },
    fsync(fd) {
      check(took(symbols.fsync(fd)), "fsync", fd);
    },
    syncFileSystem(fd) {
      check(took(symbols.fstatfs(fd, status.address)), "fstatfs", fd);
      // The type is the first member, a long.
      if (!SYNCED_AS_A_WHOLE.includes(status.view.getUint32(0, true))) return false;
      check(took(symbols.syncfs(fd)), "syncfs", fd);
      return true;
    },
    writeError(fd) {
      const result = symbols.sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
      check(took(result), "sync_file_range", fd);
    },
    fstatvfs(fd, target) {
      check(took(symbols.fstatvfs(fd, target)), "fstatvfs", fd);
    },
  };
}
