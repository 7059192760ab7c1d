/**
 * The part of a mount's status that tells of deaths of its process.
 *
 * @module
 */

import type { Restarts } from "../observe/mod.ts";
import { describeDeath, type Watch } from "./deaths.ts";

/** What the guardian of this process has told. */
export function restartsOf(watch: Watch | undefined): Restarts {
  const death = watch?.deaths.at(-1);
  return {
    count: watch?.count ?? 0,
    isWatched: watch !== undefined && Deno.ppid === watch.guardian,
    ...(death !== undefined && {
      last: { at: death.atMs, pid: death.pid, cause: describeDeath(death) },
    }),
  };
}
