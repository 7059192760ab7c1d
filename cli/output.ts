/**
 * Data goes to stdout, talk to stderr.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Prints a line of data. */
export function print(text: string): void {
  writeAll(Deno.stdout, `${text}\n`);
}

/** Tells the person at the terminal something. */
export function say(text: string): void {
  writeAll(Deno.stderr, `${text}\n`);
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}
