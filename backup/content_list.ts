/**
 * Scans a `backup_content.control`: one line an entry, of `"key":"value"` pairs.
 *
 * It looks like JSON and is not: nothing is escaped, so that a path may hold a backslash, a control
 * character or bytes that are no UTF-8. A value ends at the next quote.
 *
 * @module
 */

import { clearLine, ContentLine, KEY, setNumber } from "./content_line.ts";

/** A line that cannot be read. Counted from 1. */
export interface BadLine {
  readonly line: number;
  readonly reason: string;
}

const LINE_BYTES_MAX = 8191;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const MINUS = 0x2d;

/** Calls `add` for every line of a list, in order. @returns The line it stopped at, if any. */
export function scanContentList(
  bytes: Uint8Array,
  add: (line: ContentLine, lineNumber: number) => void,
): BadLine | undefined {
  const line = new ContentLine();
  let lineNumber = 0;
  for (let at = 0; at < bytes.length;) {
    lineNumber++;
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return { line: lineNumber, reason: "does not end: the list is cut off" };
    if (end - at > LINE_BYTES_MAX) return { line: lineNumber, reason: "is too long" };
    const reason = scanLine(bytes, { at, end }, line);
    if (reason !== undefined) return { line: lineNumber, reason };
    add(line, lineNumber);
    at = end + 1;
  }
}

/** @returns What is wrong with the line, if anything. */
function scanLine(
  bytes: Uint8Array,
  { at, end }: { at: number; end: number },
  line: ContentLine,
): string | undefined {
  clearLine(line);
  if (bytes[at++] !== OPEN) return "does not begin with {";
  for (;;) {
    while (bytes[at] === SPACE) at++;
    if (bytes[at++] !== QUOTE) return "has no quote before a key";
    let key = 0;
    for (; at < end && bytes[at] !== QUOTE; at++) {
      key = (Math.imul(key, 31) + (bytes[at]! | 0x20)) | 0;
    }
    at++;
    while (bytes[at] === SPACE) at++;
    if (bytes[at++] !== COLON) return "has no colon after a key";
    while (bytes[at] === SPACE) at++;
    if (bytes[at++] !== QUOTE) return "has no quote before a value";
    const start = at;
    if (key === KEY.path) {
      let hash = 0;
      for (; at < end && bytes[at] !== QUOTE; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
      line.pathStart = start;
      line.pathEnd = at;
      line.pathHash = hash;
    } else if (key === KEY.codec) {
      let hash = 0;
      for (; at < end && bytes[at] !== QUOTE; at++) {
        hash = (Math.imul(hash, 31) + (bytes[at]! | 0x20)) | 0;
      }
      line.codecHash = hash;
      line.codecStart = start;
      line.codecEnd = at;
    } else {
      const negative = bytes[at] === MINUS;
      if (negative) at++;
      let value = 0;
      let digits = 0;
      let byte = 0;
      for (; at < end && (byte = bytes[at]!) !== QUOTE; at++) {
        // Values of keys that we do not know may be anything.
        if (byte < 0x30 || byte > 0x39) digits = NaN;
        else {
          value = value * 10 + (byte - 0x30);
          digits++;
        }
      }
      if (!setNumber(line, key, digits > 0 ? (negative ? -value : value) : NaN)) {
        return "has a value that is no number, or out of range";
      }
    }
    if (at >= end) return "has a value without an end";
    at++;
    while (bytes[at] === SPACE) at++;
    const next = bytes[at++];
    if (next === CLOSE) break;
    if (next !== COMMA) return "has no comma between two pairs";
  }
  if (at !== end && !(at === end - 1 && bytes[at] === 0x0d)) return "goes on after }";
  if (line.pathEnd === line.pathStart) return "has no path";
  if (Number.isNaN(line.sizeBytes)) return "has no size";
  return undefined;
}
