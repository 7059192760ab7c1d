/**
 * Calls of the C library: the result of a function is taken, and errno with it.
 *
 * @module
 */

import { ERRNO, errnoName, PbkfsError } from "../../errors.ts";
import { type Functions, openLibrary } from "../library.ts";
import { borrow, toAddress } from "../memory.ts";
import { SYMBOLS } from "./symbols.ts";
import type { Fd } from "./types.ts";

/** Interrupted by a signal. */
export const EINTR = 4;

/** The functions, and what each call of one needs. */
export interface Calls {
  readonly symbols: Functions<typeof SYMBOLS>;
  /** Takes a result at once, and what errno is then. */
  readonly took: (result: number) => number;
  /** The errno of the result taken last; 0 if it was no failure. */
  readonly failure: () => number;
  /** @throws {PbkfsError} `Io` with the errno of the result taken last. */
  readonly fail: (call: string, subject: string) => never;
  /** Throws as `fail` does, if `result` says that the call failed. */
  readonly check: (result: number, call: string, subject: string | Fd) => void;
}

/** Opens the library. */
export function openCalls(): Calls {
  const symbols = openLibrary(["libc.so.6"], SYMBOLS);
  // errno is read from where it lies, and at once: whatever else runs could change it, the making
  // of a message or the compiler of JavaScript among them.
  const errno = new Int32Array(borrow(toAddress(symbols.__errno_location()), 4).buffer);
  let failure = 0;
  const took = (result: number): number => {
    failure = result < 0 ? errno[0] as number : 0;
    return result;
  };
  took(-1); // So that it is compiled before it counts.
  const fail = (call: string, subject: string): never => {
    const number = failure === 0 ? ERRNO.EIO : failure;
    throw new PbkfsError("Io", {
      what: `${call} of ${subject} failed with ${errnoName(number)}`,
      errno: number,
    });
  };
  const check = (result: number, call: string, subject: string | Fd): void => {
    if (result < 0) fail(call, typeof subject === "number" ? `descriptor ${subject}` : subject);
  };
  return { symbols, took, failure: () => failure, fail, check };
}
