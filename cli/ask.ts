/**
 * Asks the person at the terminal.
 *
 * @module
 */

import { stderrWrite } from "./output.ts";

/** Whether there is somebody to ask. */
export function isTerminal(): boolean {
  return Deno.stdin.isTerminal();
}

/** Asks, and reads one line. */
export function readAnswer(question: string): string {
  stderrWrite(question);
  const bytes = new Uint8Array(256);
  return new TextDecoder().decode(bytes.subarray(0, Deno.stdin.readSync(bytes) ?? 0)).trim();
}
