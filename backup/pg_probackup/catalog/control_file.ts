/**
 * The syntax of `backup.control` and `pg_probackup.conf`.
 *
 * @module
 */

import { type ByteString, byteString } from "../../../ffi/bytes.ts";

/** The keys of a control file, normalized by {@link controlKey}, with their values. */
export type ControlValues = ReadonlyMap<string, ByteString>;

/** A line that is neither blank, a comment, nor `key = value`. Counted from 1. */
export interface BadControlLine {
  readonly badLine: number;
  readonly reason: string;
}

const LINE_BYTES_MAX = 4095;
const BLANK = " \t\r\v\f";

/** Keys compare without case, and `-`, `_` and a blank are one character. */
export function controlKey(key: string): string {
  return key.toLowerCase().replace(/[_ ]/g, "-");
}

/**
 * Reads a control file. Of repeated keys the last wins; keys are not checked, values not changed.
 *
 * pg_probackup writes quotes inside a quoted value as they are, and can then not read its own
 * file. What was meant is clear, so we take the text between the first and the last quote.
 *
 * @see pgut_readopt in pg_probackup, src/utils/configuration.c
 */
export function parseControlFile(bytes: Uint8Array): ControlValues | BadControlLine {
  const values = new Map<string, ByteString>();
  let lineNumber = 0;
  for (const line of byteString(bytes).split("\n")) {
    lineNumber++;
    if (line.length > LINE_BYTES_MAX) {
      return { badLine: lineNumber, reason: `longer than ${LINE_BYTES_MAX} bytes` };
    }
    const text = trim(line);
    if (text === "" || text.startsWith("#")) continue;
    const equals = text.indexOf("=");
    const key = equals < 0 ? "" : trim(text.slice(0, equals));
    if (!/^[A-Za-z0-9][A-Za-z0-9_ -]*$/.test(key)) {
      return { badLine: lineNumber, reason: "not of the form key = value" };
    }
    const value = parseValue(trim(text.slice(equals + 1)));
    if (value === undefined) return { badLine: lineNumber, reason: "a quote is not closed" };
    values.set(controlKey(key), value as ByteString);
  }
  return values;
}

function parseValue(text: string): string | undefined {
  if (!text.startsWith("'")) {
    // Blanks before a comment belong to the value, those at the end of the line do not.
    const comment = text.indexOf("#");
    return comment < 0 ? text : text.slice(0, comment);
  }
  const strict = /^'((?:[^']|'')*)'[ \t\r\v\f]*(?:#.*)?$/s.exec(text);
  if (strict?.[1] !== undefined) return strict[1].replaceAll("''", "'");
  const end = text.lastIndexOf("'");
  return end === 0 ? undefined : text.slice(1, end);
}

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.includes(text[start] ?? "")) start++;
  while (end > start && BLANK.includes(text[end - 1] ?? "")) end--;
  return text.slice(start, end);
}
