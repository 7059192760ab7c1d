/**
 * The one place for errors of the control thread that nobody has handled: they are logged, and the
 * mount goes on. The kernel is served by another thread, which does not notice.
 *
 * @module
 */

import type { Log } from "./log.ts";
import { Rarely } from "./rarely.ts";

/** Tells the log of a problem, but not each time, if there are many. */
export type Complain = (what: string, error: unknown) => void;

/** Writes problems into a log, ten a minute. */
export function rareComplaints(log: () => Log): Complain {
  const rarely = new Rarely();
  return (what, error) =>
    rarely.call((leftOut) => log().error(what, error, leftOut === 0 ? {} : { leftOut }));
}

/**
 * From now on, an error or rejection of this thread that nobody handles does not end the process.
 * So it stays until the process ends: what comes late must not hide how the mount ended.
 */
export function surviveErrors(log: Log): void {
  const complain = rareComplaints(() => log);
  const tell = (error: unknown) => {
    try {
      complain("an error that nobody expected; the mount goes on", error);
    } catch {
      // A log that fails is no reason to end, either.
    }
  };
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    tell(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    tell(event.error ?? event.message);
  });
}
