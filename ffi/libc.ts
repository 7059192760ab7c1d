/**
 * The few functions of the C library that Deno does not offer in the form we need: positioned
 * reads and writes at an address, `fallocate`, `fdatasync`, `flock` and the like.
 *
 * The functions stand in a table, {@link Libc}, that callers take as a parameter: a test passes a
 * table in which one call fails.
 *
 * @module
 */

import { attributeCalls } from "./libc/attributes.ts";
import { openCalls } from "./libc/calls.ts";
import { descriptorCalls } from "./libc/descriptors.ts";
import { spaceCalls } from "./libc/space.ts";
import { systemCalls } from "./libc/system.ts";
import { transferCalls } from "./libc/transfers.ts";
import type { Libc } from "./libc/types.ts";
import { waitingCalls } from "./libc/waiting.ts";

export {
  type ByteRange,
  FALLOCATE,
  type Fd,
  type FileStatus,
  FLOCK,
  IoVectors,
  type Libc,
  OPEN,
  RESOLVE,
  STATVFS,
} from "./libc/types.ts";

const opened = new Map<string, Libc>();

/** The C library of this machine, opened at the first call in each thread. */
export function systemLibc(): Libc {
  const known = opened.get("libc");
  if (known !== undefined) return known;
  const made = makeLibc();
  opened.set("libc", made);
  return made;
}

/** One object with the functions themselves: a call of them is no further step. */
function makeLibc(): Libc {
  const calls = openCalls();
  return {
    ...descriptorCalls(calls),
    ...transferCalls(calls),
    ...spaceCalls(calls),
    ...attributeCalls(calls),
    ...waitingCalls(calls),
    ...systemCalls(calls),
  };
}
