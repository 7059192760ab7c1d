/**
 * Mounts, names, and what the system tells of itself.
 *
 * @module
 */

import { bytesOf, printable } from "../bytes.ts";
import { type Layout, readField } from "../layout.ts";
import { allocate } from "../memory.ts";
import type { Calls } from "./calls.ts";
import type { Libc } from "./types.ts";

const CLOCK_REALTIME_COARSE = 5;

/** `struct timespec`. Source: time.h. */
export const TIMESPEC = {
  seconds: { kind: "i64", at: 0 },
  nanoseconds: { kind: "i64", at: 8 },
} as const satisfies Layout;

/** `struct rlimit`. Source: sys/resource.h. */
const RLIMIT = {
  now: { kind: "u64", at: 0 },
} as const satisfies Layout;

const RLIMIT_NOFILE = 7;
const UMOUNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** The calls about mounts, names, and the system. */
type SystemCalls = Pick<Libc, "unmount" | "unlink" | "rename" | "clock" | "descriptorsMax">;

/** Makes the calls that take a path, or nothing at all. */
export function systemCalls(calls: Calls): SystemCalls {
  const { symbols, took, check } = calls;
  const status = allocate(256);
  return {
    unmount(path, options = { lazy: false }) {
      const flags = UMOUNT_NOFOLLOW | (options.lazy ? UMOUNT_DETACH : 0);
      check(took(symbols.umount2(bytesOf(path, 1), flags)), "umount", printable(path));
    },
    unlink(path) {
      check(took(symbols.unlink(bytesOf(path, 1))), "unlink", printable(path));
    },
    rename(from, to) {
      check(took(symbols.rename(bytesOf(from, 1), bytesOf(to, 1))), "rename", printable(from));
    },
    clock() {
      check(took(symbols.clock_gettime(CLOCK_REALTIME_COARSE, status.address)), "clock", "files");
      const { view } = status;
      return {
        seconds: readField(view, TIMESPEC.seconds),
        nanoseconds: readField(view, TIMESPEC.nanoseconds),
      };
    },
    descriptorsMax() {
      check(took(symbols.getrlimit(RLIMIT_NOFILE, status.address)), "getrlimit", "RLIMIT_NOFILE");
      return Number(status.view.getBigUint64(RLIMIT.now.at, true));
    },
  };
}
