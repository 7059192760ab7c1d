/**
 * The part of a mount's status that tells of free space.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { SPACE_STATES } from "../overlay/mod.ts";
import type { SpaceStatus } from "../observe/mod.ts";

/** @param shown The cell that the dispatcher shows its state in. */
export async function spaceStatus(
  diffPath: string,
  shown: Int32Array<SharedArrayBuffer>,
): Promise<SpaceStatus> {
  const state = SPACE_STATES[Atomics.load(shown, 0)] ?? "room";
  try {
    const { blocks } = await Deno.lstat(pathsIn(diffPath).reserve);
    return { state, reserveBytes: (blocks ?? 0) * 512 };
  } catch {
    return { state, reserveBytes: 0 };
  }
}
