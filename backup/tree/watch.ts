/**
 * Looks again and again whether a backup is still what it was, where nothing keeps others from
 * changing it.
 *
 * @module
 */

import type { Hold, HoldOptions } from "./source.ts";

const WATCH_MS = 1_000;

/**
 * Watches until it is released.
 *
 * @param look Tells what has changed; undefined if nothing has. What it throws is a change, too.
 * @param note For the operator: what it means that the backup is only watched.
 */
export function watch(
  look: () => Promise<string | undefined>,
  { onChange, watchMs = WATCH_MS }: Pick<HoldOptions, "onChange" | "watchMs">,
  note: string,
): Hold {
  let told: string | undefined;
  let isLooking = false;
  const timer = setInterval(async () => {
    if (isLooking) return;
    isLooking = true;
    const change = await look().catch((error) => (error as Error).message);
    isLooking = false;
    if (change === told) return;
    told = change;
    onChange(change);
  }, watchMs);
  return {
    notes: [note],
    release() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}
