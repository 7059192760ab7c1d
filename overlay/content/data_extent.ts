/**
 * Holes of data files, and the space that they take.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";
import type { DataId } from "../store/metadata_store.ts";
import type { ContentContext, Extent } from "./content_form.ts";

/**
 * What lies at a place before `end`, as the file system of the diff tells it. What lies behind the
 * data file's end is a hole.
 */
export function dataExtent(libc: Libc, fd: Fd, at: number, end: number): Extent {
  const data = libc.seek(fd, at, "data") ?? end;
  if (data > at) return { isHole: true, endBytes: Math.min(data, end) };
  return { isHole: false, endBytes: Math.min(libc.seek(fd, at, "hole") ?? end, end) };
}

/** Space of a data file, in units of 512 bytes. One that is missing takes none; reading it tells. */
export function dataBlocks512({ libc, data }: ContentContext, id: DataId): number {
  try {
    return libc.fstat(data.fd(id)).blocks512;
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "DiffDamaged") return 0;
    throw error;
  }
}
