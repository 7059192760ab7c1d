/**
 * What a mount tells of itself.
 *
 * @module
 */

import type { CounterName, Strays } from "../overlay/mod.ts";
import {
  type Latencies,
  type LatencySummary,
  REQUEST_KINDS,
  type RequestKind,
} from "../fuse/mod.ts";
import { describeDeath, type Watch } from "./deaths.ts";
import type { DiffSize } from "./diff_size.ts";
import type { LogTarget } from "./log_options.ts";
import type { SpaceStatus } from "./space_status.ts";

/** What a mount tells of itself. */
export interface MountStatus {
  /** Of the pbkfs that serves it. */
  readonly version: string;
  /** The process that serves it. */
  readonly pid: number;
  /** Where the backups are. */
  readonly catalogPath: string;
  /** Whose backup it is. */
  readonly instance: string;
  /** The backup that is shown. */
  readonly backupId: string;
  /** PostgreSQL's major version. */
  readonly serverVersion: string;
  /** Where changes go. */
  readonly diffPath: string;
  /** Where it is mounted. */
  readonly mountPath: string;
  /** Of the file system, such as `0:45`; missing until it is mounted. */
  readonly device?: string;
  /** Whether it is nowhere in the mount namespace of its process, which goes on all the same. */
  readonly isDetached: boolean;
  /** Milliseconds since 1970. */
  readonly mountedAt: number;
  /** How large the diff is. */
  readonly diff: DiffSize;
  /** Whether there is room for more. */
  readonly space: SpaceStatus;
  /** Data files that nothing names, see `overlay/strays.ts`. They are not part of `diff`. */
  readonly lostAndFound?: Strays;
  /** What it has done since it was mounted. */
  readonly counters: Readonly<Record<CounterName, number>>;
  /** How long requests took, by kind. */
  readonly latencies: Readonly<Record<RequestKind, LatencySummary>>;
  /** Deaths of its process. */
  readonly restarts: Restarts;
  /** Where its log goes. An older pbkfs does not tell. */
  readonly log?: LogTarget;
}

/** Deaths of the processes behind a mount, and whether the next one would be made good. */
export interface Restarts {
  /** How many there were. */
  readonly count: number;
  /** Whether somebody sees to it that it is mounted again. */
  readonly isWatched: boolean;
  /** The latest. */
  readonly last?: {
    /** Milliseconds since 1970. */
    readonly at: number;
    readonly pid: number;
    /** Such as `process 4711 was killed by SIGSEGV`. */
    readonly cause: string;
  };
}

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

/** All histograms in short. */
export function summaries(latencies: Latencies): Record<RequestKind, LatencySummary> {
  return Object.fromEntries(
    REQUEST_KINDS.map((kind) => [kind, latencies.summary(kind)]),
  ) as Record<RequestKind, LatencySummary>;
}
