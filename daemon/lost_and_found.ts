/**
 * Data files of a diff that nothing names: what a mount tells of them, and `status` afterwards.
 *
 * @module
 */

import { isOfFsck, pathsIn } from "../binding/mod.ts";
import type { KeptStrays, Strays } from "../overlay/mod.ts";

/** For the operator, if a mount has found some. */
export function strayNotes(strays: KeptStrays, path: string): string[] {
  const { count, sizeBytes, left, reason } = strays;
  if (count === 0) return [];
  const what = `${count} data ${count === 1 ? "file" : "files"} (${sizeBytes} bytes on disk) ` +
    "that nothing names, as a crash leaves of what was not synced,";
  if (left === 0) return [`${what} went to "${path}"; pbkfs cleanup removes them with the diff`];
  return [`${what} could not all be moved to "${path}" (${reason}): ${left} stay where they are`];
}

/** What lies in a diff's directory of strays. What disappears meanwhile does not count. */
export async function lostAndFound(diffPath: string): Promise<Strays> {
  const path = pathsIn(diffPath).lostAndFound;
  let count = 0;
  let sizeBytes = 0;
  try {
    for await (const { name } of Deno.readDir(path)) {
      if (isOfFsck(name)) continue;
      sizeBytes += ((await Deno.lstat(`${path}/${name}`)).blocks ?? 0) * 512;
      count++;
    }
  } catch {
    // There is none, it is not ours to read, or it is going away.
  }
  return { count, sizeBytes };
}
