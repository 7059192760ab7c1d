/**
 * Names of WAL files, and the arithmetic of segments.
 *
 * @module
 */

import type { Lsn } from "./lsn.ts";

/** Counts segments from the beginning of the log. */
export type SegmentNumber = bigint & { readonly segment: unique symbol };

const HEX = 16;
const LOG_FILE_BYTES = 0x1_0000_0000n;

/** The segment that holds the byte at `lsn`. */
export function segmentAt(lsn: Lsn, segmentBytes: number): SegmentNumber {
  return lsn / BigInt(segmentBytes) as SegmentNumber;
}

/**
 * The segments that hold the log from `start` up to, not including, `stop`. A backup that stops
 * where a segment begins needs nothing of that segment, which may not have been written yet.
 */
export function segmentsBetween(start: Lsn, stop: Lsn, segmentBytes: number): SegmentNumber[] {
  const first = segmentAt(start, segmentBytes);
  const last = segmentAt((stop > start ? stop - 1n : start) as Lsn, segmentBytes);
  const segments: SegmentNumber[] = [];
  for (let number: bigint = first; number <= last; number++) {
    segments.push(number as SegmentNumber);
  }
  return segments;
}

/**
 * Such as `000000010000000000000017`: timeline, and the number in two parts.
 *
 * @see XLogFileName in PostgreSQL, src/include/access/xlog_internal.h
 */
export function segmentName(
  { timeline, segment, segmentBytes }: {
    timeline: number;
    segment: SegmentNumber;
    segmentBytes: number;
  },
): string {
  const perLogFile = LOG_FILE_BYTES / BigInt(segmentBytes);
  return hex(timeline) + hex(segment / perLogFile) + hex(segment % perLogFile);
}

/** Such as `00000002.history`. */
export function historyName(timeline: number): string {
  return `${hex(timeline)}.history`;
}

/** Whether it is a whole segment: 24 hexadecimal digits. */
export function isSegmentName(name: string): boolean {
  return /^[0-9A-F]{24}$/.test(name);
}

function hex(value: number | bigint): string {
  return value.toString(HEX).toUpperCase().padStart(8, "0");
}
