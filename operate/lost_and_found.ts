/**
 * Data files that nothing names, of a diff that is not mounted.
 *
 * @module
 */

import { isOfFsck, pathsIn } from "../binding/mod.ts";
import type { Strays } from "../overlay/mod.ts";

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
