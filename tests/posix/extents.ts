/**
 * Where a file has data and where holes, as lseek(2) tells.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ERRNO } from "../../errors.ts";
import { fstat, PosixError, pread, seek } from "../support/posix.ts";

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** What is looked at in one piece. */
const CHUNK_SIZE_BYTES = 1 << 20;

/** A part that is data: its first byte, and the first byte after it. */
export type DataRange = readonly [from: number, end: number];

/** The data of a file, from front to back. */
export function dataOf(fd: number): DataRange[] {
  const found: DataRange[] = [];
  for (let at = 0;;) {
    try {
      const from = seek(fd, at, SEEK_DATA);
      assert(from >= at, "data lies ahead");
      at = seek(fd, from, SEEK_HOLE);
      assert(at > from, "data has a length");
      found.push([from, at]);
    } catch (error) {
      if (error instanceof PosixError && error.errno === ERRNO.ENXIO) return found;
      throw error;
    }
  }
}

/** Fails if a byte that is not zero is said to lie in a hole. @returns What is data. */
export function checkHoles(fd: number): DataRange[] {
  const data = dataOf(fd);
  const { sizeBytes } = fstat(fd);
  let at = 0;
  for (const [from, end] of [...data, [sizeBytes, sizeBytes] as const]) {
    assert(end <= sizeBytes, "data ends with the file");
    for (; at < from; at += CHUNK_SIZE_BYTES) {
      const bytes = pread(fd, Math.min(CHUNK_SIZE_BYTES, from - at), at);
      const wrong = bytes.findIndex((byte) => byte !== 0);
      assert(wrong < 0, `a byte at ${at + wrong} is said to be a hole`);
    }
    at = end;
  }
  return data;
}
