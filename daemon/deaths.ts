/**
 * The deaths of the process behind a mount: how each came about, and whether another try is worth
 * it.
 *
 * @module
 */

import { constants } from "node:os";
import { PbkfsError } from "../errors.ts";

/** What a guardian says where its shell has forgotten how a process ended. */
export const UNKNOWN_STATUS = 255;

/** The end of a process that should have gone on. */
export interface Death {
  readonly pid: number;
  /** As a shell tells it: above 128, the number of a signal is added. */
  readonly status: number;
  /** Milliseconds since 1970, to the second. */
  readonly atMs: number;
}

/** What a daemon's guardian tells it. */
export interface Watch {
  /** The guardian: this process's parent, as long as it lives. */
  readonly guardian: number;
  /** How many daemons of this mount have died. */
  readonly count: number;
  /** There is to be no other mount: take what is there away. */
  readonly isEnding: boolean;
  /** The last three at most, oldest first; empty when the mount is first made. */
  readonly deaths: readonly Death[];
}

/** So many deaths in so short a time, and nobody mounts again. */
const DEATHS_MAX = 3;
const DEATHS_WITHIN_MS = 60_000;

/**
 * Reads the arguments of a daemon.
 *
 * @returns undefined if nobody watches it.
 * @throws {PbkfsError} `Usage`
 */
export function parseWatch(args: readonly string[]): Watch | undefined {
  if (args.length === 0) return undefined;
  const [guardian, count, ...rest] = args;
  const isEnding = rest[0] === "ending";
  const deaths = (isEnding ? rest.slice(1) : rest).map((text): Death => {
    const [pid = NaN, status = NaN, seconds = NaN] = text.split(":").map(Number);
    return { pid, status, atMs: seconds * 1000 };
  });
  const watch = { guardian: Number(guardian), count: Number(count), isEnding, deaths };
  const numbers = deaths.flatMap(({ pid, status, atMs }) => [pid, status, atMs]);
  if ([watch.guardian, watch.count, ...numbers].every(Number.isInteger)) return watch;
  throw new PbkfsError("Usage", { what: `These are no arguments of a daemon: ${args.join(" ")}` });
}

/** Whether they come so fast that the next one would die, too. */
export function areTooMany(deaths: readonly Death[]): boolean {
  const first = deaths.at(-DEATHS_MAX);
  const last = deaths.at(-1);
  if (first === undefined || last === undefined) return false;
  return last.atMs - first.atMs < DEATHS_WITHIN_MS;
}

/** Such as `process 4711 was killed by SIGSEGV`. */
export function describeDeath({ pid, status }: Death): string {
  if (status === UNKNOWN_STATUS) return `process ${pid} has ended, nobody saw how`;
  if (status <= 128) return `process ${pid} ended by an error of its own, with status ${status}`;
  const number = status - 128;
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? [];
  const killed = `process ${pid} was killed by ${name ?? `signal ${number}`}`;
  // Whom the kernel ends for want of memory cannot be told from others: it uses the same signal.
  return name === "SIGKILL" ? `${killed}, perhaps because memory ran out` : killed;
}
