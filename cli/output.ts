/**
 * Data goes to stdout, talk to stderr. All that is printed passes here, and what others may have
 * laid out leaves harmless, see `terminalText`.
 *
 * @module
 */

import { terminalJson, terminalText } from "../observe/mod.ts";

const encoder = new TextEncoder();

let isGone = false;

/** Whether who reads our output has seen enough, as `head` has. Who prints without end looks. */
export function isReaderGone(): boolean {
  return isGone;
}

/** Prints a line of data. @param mark Comes before it; our own, which may have a color. */
export function print(text: string, mark = ""): void {
  writeAll(Deno.stdout, `${mark}${terminalText(text)}\n`);
}

/** Prints lines that we have made, of which only parts may be somebody else's. */
export function printLines(text: string): void {
  text.split("\n").forEach((line) => print(line));
}

/** Prints data as JSON. @param indent 0 is one line. */
export function printJson(data: unknown, indent = 2): void {
  writeAll(Deno.stdout, `${terminalJson(JSON.stringify(data, null, indent))}\n`);
}

/** Tells the person at the terminal something, in a line. */
export function say(text: string): void {
  writeAll(Deno.stderr, `${terminalText(text)}\n`);
}

/** The same, in lines that we have made, as {@link printLines}. */
export function sayLines(text: string): void {
  text.split("\n").forEach(say);
}

/** Our own words, without ending the line, and what moves the cursor. */
export function stderrWrite(text: string): void {
  writeAll(Deno.stderr, text);
}

/** Clears the terminal for what is printed next. */
export function clearTerminal(): void {
  writeAll(Deno.stdout, "\x1b[H\x1b[J");
}

/** Where an error came from, and what led there. */
export function stacksOf(error: unknown): string {
  if (error instanceof SuppressedError) {
    return `${stacksOf(error.suppressed)}\nThen, on the way out: ${stacksOf(error.error)}`;
  }
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${stacksOf(error.cause)}`;
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (error) {
    // That is no error of ours.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    if (to === Deno.stdout) isGone = true;
  }
}
