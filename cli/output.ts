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

/** Prints data as JSON. */
export function printJson(data: unknown): void {
  print(JSON.stringify(data, null, 2));
}

/** Tells the person at the terminal something. */
export function say(text: string): void {
  writeAll(Deno.stderr, `${text}\n`);
}

/** The same, without ending the line. */
export function stderrWrite(text: string): void {
  writeAll(Deno.stderr, text);
}

/** Where an error came from, and what led there. */
export function stacksOf(error: unknown): string {
  const stacks: string[] = [];
  for (let next = error; next instanceof Error; next = next.cause) {
    stacks.push(next.stack ?? next.message);
  }
  return stacks.join("\nCaused by: ");
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (error) {
    // Who reads has seen enough, as `head` has: that is no error of ours.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
