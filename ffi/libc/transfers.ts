/**
 * Bytes of files, read and written at addresses.
 *
 * @module
 */

import { ERRNO } from "../../errors.ts";
import type { Address } from "../memory.ts";
import { type Calls, EINTR } from "./calls.ts";
import { type Fd, IoVectors, type Libc } from "./types.ts";

/** The longest read or write at a time: what it returns then fits an `i32`, see `symbols.ts`. */
const TRANSFER_SIZE_BYTES_MAX = 1 << 30;

const RWF_NOWAIT = 8;

/** The calls that move bytes. */
type TransferCalls = Pick<
  Libc,
  "read" | "write" | "pread" | "preadCached" | "preadv" | "preadvCached" | "pwrite"
>;

/** Makes the calls that move bytes. They are made for each request of the kernel. */
export function transferCalls(calls: Calls): TransferCalls {
  const { symbols, took, failure, fail, check } = calls;
  /** What one call may transfer of what is left. */
  const clipped = (sizeBytes: number): number => Math.min(sizeBytes, TRANSFER_SIZE_BYTES_MAX);
  const one = new IoVectors(1);
  /** One preadv2(2). @returns undefined if the file system cannot do what `flags` ask for. */
  const readvOnce = (
    fd: Fd,
    { address, count }: IoVectors,
    at: { readonly offsetBytes: number; readonly flags: number },
  ): number | undefined => {
    const done = took(symbols.preadv2(fd, address, count, at.offsetBytes, at.flags));
    if (done >= 0) return done;
    if (at.flags !== 0 && failure() === ERRNO.EOPNOTSUPP) return undefined;
    return failure() === EINTR ? 0 : fail("preadv2", `descriptor ${fd}`);
  };

  return {
    read(fd, target, sizeBytes) {
      const done = took(symbols.read(fd, target, clipped(sizeBytes)));
      check(done, "read", fd);
      return done;
    },
    write(fd, source, sizeBytes) {
      const done = took(symbols.write(fd, source, sizeBytes));
      if (done !== sizeBytes) fail("write", `descriptor ${fd}`);
    },
    pread(fd, target, { offsetBytes, sizeBytes }) {
      let done = 0;
      while (done < sizeBytes) {
        const n = took(
          symbols.pread(fd, target + done, clipped(sizeBytes - done), offsetBytes + done),
        );
        if (n === 0) break;
        if (n > 0) done += n;
        else if (failure() !== EINTR) fail("pread", `descriptor ${fd}`);
      }
      return done;
    },
    preadCached(fd, target, range) {
      let done = 0;
      while (done < range.sizeBytes) {
        one.clear();
        one.add((target + done) as Address, clipped(range.sizeBytes - done));
        const at = range.offsetBytes + done;
        const n = took(symbols.preadv2(fd, one.address, 1, at, RWF_NOWAIT));
        if (n === 0) break;
        if (n > 0) done += n;
        else if (failure() === ERRNO.EOPNOTSUPP) return this.pread(fd, target, range);
        else if (failure() !== EINTR) fail("preadv2", `descriptor ${fd}`);
      }
      return done;
    },
    preadv(fd, targets, offsetBytes) {
      return readvOnce(fd, targets, { offsetBytes, flags: 0 }) as number;
    },
    preadvCached(fd, targets, offsetBytes) {
      const done = readvOnce(fd, targets, { offsetBytes, flags: RWF_NOWAIT });
      return done ?? this.preadv(fd, targets, offsetBytes);
    },
    pwrite(fd, source, { offsetBytes, sizeBytes }) {
      let done = 0;
      while (done < sizeBytes) {
        const n = took(
          symbols.pwrite(fd, source + done, clipped(sizeBytes - done), offsetBytes + done),
        );
        if (n > 0) done += n;
        else if (n === 0 || failure() !== EINTR) fail("pwrite", `descriptor ${fd}`);
      }
    },
  };
}
