/**
 * Reads the base for what the diff is to have of it.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import type { ByteRange } from "../../ffi/libc.ts";
import type { NativeBuffer } from "../../ffi/memory.ts";
import type { BaseFile, ContentContext } from "./content_form.ts";

/** Reads all of `range`, which lies within the file, to the start of `target`. */
export function readBase(
  { reads }: Pick<ContentContext, "reads">,
  base: BaseFile,
  range: ByteRange,
  target: NativeBuffer,
): void {
  if (range.sizeBytes === 0) return;
  const done = reads.read(base.plan(range, "new"), target);
  if (done === range.sizeBytes) return;
  throw new PbkfsError("Bug", {
    what: `A read of ${range.sizeBytes} bytes at ${range.offsetBytes} gave ${done}`,
  });
}
