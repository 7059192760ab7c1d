/**
 * When and how a crash comes, by chance.
 *
 * @module
 */

import type { Random } from "../support/random.ts";

/** One crash. */
export interface CrashPlan {
  /** Who is killed. With `faults`: who is killed if the fault does not come. */
  readonly kills: "server" | "daemon" | "both";
  /** How long the sessions work before that. */
  readonly afterMs: number;
  /** Where the daemon kills itself, see `testing/faults/faulty_libc.ts`; empty: nowhere. */
  readonly faults: string;
  /** Another crash while the server recovers from this one. */
  readonly inRecovery: { readonly afterMs: number; readonly faults: string } | undefined;
  /** Unmount after the check; else the next crash comes to the same mount. */
  readonly stopsAfter: boolean;
}

/** Points at which a daemon can be killed, and about how often one is passed in a second. */
const KILL_POINTS: readonly { readonly call: string; readonly often: number }[] = [
  { call: "commit", often: 40 },
  { call: "fdatasync", often: 100 },
  { call: "fsync", often: 20 },
  { call: "pwrite", often: 400 },
  { call: "ftruncate", often: 5 },
  { call: "unlink", often: 10 },
  { call: "dup", often: 100 },
  { call: "open:/data/", often: 60 },
  { call: "close", often: 60 },
];

/** A plan for one crash. */
export function planCrash(random: Random): CrashPlan {
  const faults = random.chance(0.4) ? killPoint(random, 4) : "";
  return {
    kills: faults !== "" ? "daemon" : random.pick(["server", "daemon", "daemon", "both", "both"]),
    afterMs: faults !== "" ? 4000 : random.between(100, 2500),
    faults,
    inRecovery: random.chance(0.3)
      ? {
        afterMs: random.between(20, 1200),
        faults: random.chance(0.4) ? killPoint(random, 1) : "",
      }
      : undefined,
    stopsAfter: random.chance(0.6),
  };
}

/** In a few words, for a report. */
export function describePlan({ kills, afterMs, faults, inRecovery }: CrashPlan): string {
  const first = faults === "" ? `${kills} killed after ${afterMs} ms` : faults;
  if (inRecovery === undefined) return first;
  const second = inRecovery.faults || `${inRecovery.afterMs} ms`;
  return `${first}, again in recovery: ${second}`;
}

function killPoint(random: Random, seconds: number): string {
  const { call, often } = random.pick(KILL_POINTS);
  const moment = random.pick(["kill-before", "kill-after"]);
  return `${call}@${random.between(1, Math.max(2, Math.round(often * seconds * 0.6)))}=${moment}`;
}
