/**
 * Scans a `backup_content.control`: one line an entry, of `"key":"value"` pairs.
 *
 * It looks like JSON and is not: nothing is escaped, so that a path may hold a backslash, a control
 * character or bytes that are no UTF-8. A value ends at the next quote.
 *
 * @module
 */

import { byteString } from "../../../ffi/bytes.ts";
import { CODEC, ContentLine, type Field, fieldOf, OTHER, PATH } from "./content_line.ts";
import { KeyGuesses } from "./key_guesses.ts";

/** A line that cannot be read. Counted from 1. */
export interface BadLine {
  readonly line: number;
  readonly reason: string;
}

/** Gets a line, its number counted from 1, and the bytes that it points into: for the call only. */
export type TakeLine = (line: ContentLine, lineNumber: number, bytes: Uint8Array) => void;

const LINE_BYTES_MAX = 8191;
/** A list is scanned in parts, which the processor's cache can hold. */
const PART_BYTES = 256 * 1024;
/** So many digits are summed up as small integers. */
const SHORT_DIGITS = 9;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const MINUS = 0x2d;
const ZERO = 0x30;

/**
 * Calls `take` for every line of a list, in order.
 *
 * @param read Reads on into `target`; returns how many bytes, 0 at the end.
 * @returns The line it stopped at, if any.
 */
export function scanContentList(
  read: (target: Uint8Array<ArrayBuffer>) => number,
  take: TakeLine,
): BadLine | undefined {
  const bytes = new Uint8Array(PART_BYTES);
  const scanner = new LineScanner(bytes);
  let lineNumber = 0;
  let filled = 0;
  for (let got = read(bytes); got > 0; got = read(bytes.subarray(filled))) {
    filled += got;
    let at = 0;
    const end = bytes.lastIndexOf(NEWLINE, filled - 1) + 1;
    while (at < end) {
      lineNumber++;
      const reason = scanner.scan(at);
      if (reason !== undefined) return { line: lineNumber, reason };
      take(scanner.line, lineNumber, bytes);
      at = scanner.end;
    }
    bytes.copyWithin(0, at, filled);
    filled -= at;
    if (filled > LINE_BYTES_MAX) return { line: lineNumber + 1, reason: "is too long" };
  }
  if (filled === 0) return undefined;
  return { line: lineNumber + 1, reason: "does not end: the list is cut off" };
}

/** Scans one line after another. Each ends with a newline, which no part of a line holds. */
class LineScanner {
  readonly line = new ContentLine();
  readonly #guesses = new KeyGuesses();
  /** Where the scan is. */
  #at = 0;
  /** Of the key read last. */
  #field: Field = OTHER;

  constructor(private readonly bytes: Uint8Array) {}

  /** Where the line after the one that was scanned begins. */
  get end(): number {
    return this.#at;
  }

  /** Scans a line, up to its newline. @returns What is wrong with it, if anything. */
  scan(start: number): string | undefined {
    const { bytes, line } = this;
    line.clear();
    if (bytes[start] !== OPEN) return "does not begin with {";
    this.#at = start + 1;
    for (let pair = 0;; pair++) {
      const problem = this.#scanKey(pair) ?? this.#scanValue();
      if (problem !== undefined) return problem;
      let at = this.#at;
      while (bytes[at] === SPACE) at++;
      this.#at = at + 1;
      if (bytes[at] === CLOSE) break;
      if (bytes[at] !== COMMA) return "has no comma between two pairs";
    }
    if (bytes[this.#at] === RETURN) this.#at++;
    if (bytes[this.#at++] !== NEWLINE) return "goes on after }";
    if (this.#at - start > LINE_BYTES_MAX + 1) return "is too long";
    if (line.pathEnd === line.pathStart) return "has no path";
    if (!line.hasSize) return "has no size";
    return undefined;
  }

  /** Up to the quote before the value. */
  #scanKey(pair: number): string | undefined {
    const { bytes } = this;
    const guessed = this.#guesses.match(pair, bytes, this.#at);
    if (guessed >= 0) {
      this.#at = guessed;
      this.#field = this.#guesses.field(pair);
      return undefined;
    }
    const start = this.#at;
    let at = start;
    while (bytes[at] === SPACE) at++;
    if (bytes[at++] !== QUOTE) return "has no quote before a key";
    const keyStart = at;
    while (bytes[at] !== QUOTE && bytes[at] !== NEWLINE) at++;
    const keyEnd = at;
    if (bytes[at++] !== QUOTE) return "has a key without an end";
    while (bytes[at] === SPACE) at++;
    if (bytes[at++] !== COLON) return "has no colon after a key";
    while (bytes[at] === SPACE) at++;
    if (bytes[at++] !== QUOTE) return "has no quote before a value";
    this.#at = at;
    this.#field = fieldOf(byteString(bytes.subarray(keyStart, keyEnd)));
    this.#guesses.learn(pair, this.#field, bytes.subarray(start, at));
    return undefined;
  }

  /** Up to what follows the quote after the value. */
  #scanValue(): string | undefined {
    const field = this.#field;
    if (field === PATH) this.#scanPath();
    else if (field === CODEC) this.#scanCodec();
    else if (field === OTHER) this.#skipValue();
    else if (!this.line.set(field, this.#scanNumber())) {
      return "has a value that is no number, or out of range";
    }
    if (this.bytes[this.#at] !== QUOTE) return "has a value without an end";
    this.#at++;
    return undefined;
  }

  #skipValue(): void {
    const { bytes } = this;
    let at = this.#at;
    while (bytes[at] !== QUOTE && bytes[at] !== NEWLINE) at++;
    this.#at = at;
  }

  #scanPath(): void {
    const { bytes, line } = this;
    let at = line.pathStart = this.#at;
    let hash = 0;
    for (let byte; (byte = bytes[at]!) !== QUOTE && byte !== NEWLINE; at++) {
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    line.pathHash = hash;
    line.pathEnd = this.#at = at;
  }

  #scanCodec(): void {
    const { bytes, line } = this;
    let at = line.codecStart = this.#at;
    let hash = 0;
    for (let byte; (byte = bytes[at]!) !== QUOTE && byte !== NEWLINE; at++) {
      hash = (Math.imul(hash, 31) + (byte | 0x20)) | 0;
    }
    line.codecHash = hash;
    line.codecEnd = this.#at = at;
  }

  /** @returns NaN if there is something else than a number. */
  #scanNumber(): number {
    const { bytes } = this;
    let at = this.#at;
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const start = at;
    let short = 0;
    let digit = bytes[at]! - ZERO;
    for (; digit >= 0 && digit <= 9 && at - start < SHORT_DIGITS; digit = bytes[++at]! - ZERO) {
      short = (short * 10 + digit) | 0;
    }
    let value = short;
    for (; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) value = value * 10 + digit;
    this.#at = at;
    if (at === start || bytes[at] !== QUOTE) return NaN;
    return isNegative ? -value : value;
  }
}
