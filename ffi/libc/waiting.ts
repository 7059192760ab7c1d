/**
 * Waiting: for bytes, and for locks.
 *
 * @module
 */

import type { Layout } from "../layout.ts";
import { allocate } from "../memory.ts";
import { type Calls, EINTR } from "./calls.ts";
import type { Fd, Libc } from "./types.ts";

/** `struct pollfd`. Source: poll.h. */
export const POLLFD = {
  fd: { kind: "i32", at: 0 },
} as const satisfies Layout;

const POLL_IN = 1;
const EWOULDBLOCK = 11;

/** The calls that may wait. */
type WaitingCalls = Pick<Libc, "flock" | "waitReadable" | "waitOrWake">;

/** Makes the calls that may wait for others. */
export function waitingCalls(calls: Calls): WaitingCalls {
  const { symbols, took, failure, fail } = calls;
  const pollFds = allocate(16);
  const setPollFd = (index: number, fd: Fd): void => {
    pollFds.view.setInt32(index * 8 + POLLFD.fd.at, fd, true);
    pollFds.view.setInt16(index * 8 + 4, POLL_IN, true);
  };
  return {
    flock(fd, operation) {
      if (took(symbols.flock(fd, operation)) === 0) return true;
      return failure() === EWOULDBLOCK ? false : fail("flock", `descriptor ${fd}`);
    },
    waitReadable(fd, timeoutMs) {
      setPollFd(0, fd);
      const ready = took(symbols.poll(pollFds.address, 1, timeoutMs));
      if (ready >= 0) return ready > 0;
      return failure() === EINTR ? false : fail("poll", `descriptor ${fd}`);
    },
    waitOrWake(fd, wakeFd, timeoutMs) {
      setPollFd(0, fd);
      setPollFd(1, wakeFd);
      const ready = took(symbols.poll(pollFds.address, 2, timeoutMs));
      if (ready < 0) return failure() === EINTR ? false : fail("poll", `descriptor ${fd}`);
      return ready > 0 && (pollFds.view.getInt16(14, true) & POLL_IN) !== 0;
    },
  };
}
