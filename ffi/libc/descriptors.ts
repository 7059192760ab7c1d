/**
 * Descriptors: where they come from, and what becomes of them.
 *
 * @module
 */

import { bytesOf, byteString, printable } from "../bytes.ts";
import { type Layout, writeField } from "../layout.ts";
import { allocate } from "../memory.ts";
import type { Calls } from "./calls.ts";
import { type Fd, type Libc, OPEN } from "./types.ts";

/** `struct open_how`. Source: linux/openat2.h. */
export const OPEN_HOW = {
  flags: { kind: "u64", at: 0 },
  mode: { kind: "u64", at: 8 },
  resolve: { kind: "u64", at: 16 },
} as const satisfies Layout;

const OPEN_HOW_SIZE_BYTES = 24;

/** The same on all processors. Source: asm-generic/unistd.h. */
export const SYS_OPENAT2 = 437;

const LINK_BYTES_MAX = 4096;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;

/** The calls about descriptors. */
type DescriptorCalls = Pick<
  Libc,
  | "open"
  | "openAt"
  | "openResolved"
  | "readLink"
  | "close"
  | "dup"
  | "setNonBlocking"
  | "replace"
  | "pipe"
>;

/** Makes the calls that open, change and close descriptors. */
export function descriptorCalls(calls: Calls): DescriptorCalls {
  const { symbols, took, check } = calls;
  const emptyPath = new Uint8Array(1);
  const how = allocate(OPEN_HOW_SIZE_BYTES);
  return {
    open(path, flags, mode = 0) {
      const fd = took(symbols.open(bytesOf(path, 1), flags | OPEN.closeOnExec, mode));
      check(fd, "open", printable(path));
      return fd as Fd;
    },
    openAt(directory, path, flags) {
      const fd = took(symbols.openat(directory, bytesOf(path, 1), flags | OPEN.closeOnExec, 0));
      check(fd, "openat", printable(path));
      return fd as Fd;
    },
    openResolved(directory, path, flags, resolve) {
      writeField(how.view, OPEN_HOW.flags, flags | OPEN.closeOnExec);
      writeField(how.view, OPEN_HOW.resolve, resolve);
      const { address, sizeBytes } = how;
      const fd = took(
        symbols.syscall(SYS_OPENAT2, directory, bytesOf(path, 1), address, sizeBytes),
      );
      check(fd, "openat2", printable(path));
      return fd as Fd;
    },
    readLink(fd) {
      const target = allocate(LINK_BYTES_MAX);
      const size = took(symbols.readlinkat(fd, emptyPath, target.address, target.sizeBytes));
      check(size, "readlinkat", fd);
      return byteString(target.bytes.subarray(0, size));
    },
    close(fd) {
      check(took(symbols.close(fd)), "close", fd);
    },
    dup(fd) {
      const copy = took(symbols.fcntl(fd, F_DUPFD_CLOEXEC, 0));
      check(copy, "dup", fd);
      return copy as Fd;
    },
    setNonBlocking(fd) {
      const flags = took(symbols.fcntl(fd, F_GETFL, 0));
      check(flags, "fcntl", fd);
      check(took(symbols.fcntl(fd, F_SETFL, flags | OPEN.nonBlocking)), "fcntl", fd);
    },
    replace(fd, target) {
      check(took(symbols.dup2(fd, target)), "dup2", fd);
    },
    pipe() {
      const ends = allocate(8);
      check(took(symbols.pipe2(ends.address, OPEN.closeOnExec)), "pipe", "a new pipe");
      return { read: ends.view.getInt32(0, true) as Fd, write: ends.view.getInt32(4, true) as Fd };
    },
  };
}
