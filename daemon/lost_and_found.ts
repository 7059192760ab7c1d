/**
 * Data files of a diff that nothing names: which they are, and what a mount tells of them.
 *
 * @module
 */

import type { KeptStrays } from "../overlay/mod.ts";

/** For the operator, if a mount has found some. */
export function strayNotes(strays: KeptStrays, path: string): string[] {
  const { count, sizeBytes, left, reason } = strays;
  if (count === 0) return [];
  const what = `${count} data ${count === 1 ? "file" : "files"} (${sizeBytes} bytes on disk) ` +
    "that nothing names, as a crash leaves of what was not synced,";
  if (left === 0) return [`${what} went to "${path}"; pbkfs cleanup removes them with the diff`];
  return [`${what} could not all be moved to "${path}" (${reason}): ${left} stay where they are`];
}
