/**
 * The status of a mount, as it tells it of itself.
 *
 * @module
 */

import {
  type Latencies,
  type LatencySummary,
  REQUEST_KINDS,
  type RequestKind,
} from "../fuse/mod.ts";
import type { CounterName, SpaceState, Strays } from "../overlay/mod.ts";
import type { LogTarget } from "./log_options.ts";

/** What a mount tells of itself. */
export interface MountStatus {
  /** Of the pbkfs that serves it. */
  readonly version: string;
  /** The process that serves it. */
  readonly pid: number;
  /** Of backup, such as `pg_probackup`. An older pbkfs does not tell. */
  readonly kind?: string;
  /** Where the backups are; a data directory itself. */
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
  /**
   * Data files that nothing names, see `overlay/store/strays.ts`. They are not part of `diff`, but counted
   * with it: while that is not complete, there are more.
   */
  readonly lostAndFound?: Strays;
  /** What it has done since it was mounted. */
  readonly counters: Readonly<Record<CounterName, number>>;
  /** How long requests took, by kind. */
  readonly latencies: Readonly<Record<RequestKind, LatencySummary>>;
  /** Deaths of its process. */
  readonly restarts: Restarts;
  /** What it does in the background. An older pbkfs does not tell. */
  readonly tasks?: BackgroundTasks;
  /** Where its log goes. An older pbkfs does not tell. */
  readonly log?: LogTarget;
}

/** Space of a diff in bytes; holes take none. What is only reserved is not counted. */
export interface DiffSize {
  /** Changed pages and files. */
  readonly dataBytes: number;
  /** The clone's `pg_wal`, where it is outside of the mount. */
  readonly walBytes: number;
  /** Names, attributes, page maps, and the log. */
  readonly otherBytes: number;
  /** How long ago it was counted. */
  readonly ageSeconds: number;
  /** false while the first count goes on: it is more than that. */
  readonly isComplete: boolean;
}

/** How a mount is off for space. */
export interface SpaceStatus {
  /** `low` and `full`: writes are refused. */
  readonly state: SpaceState;
  /** Kept for what was accepted; not part of the diff's size. */
  readonly reserveBytes: number;
}

/** What a mount does in the background: one task at a time, while requests do not wait. */
export interface BackgroundTasks {
  /** Whether none of them begins or goes on. */
  readonly isPaused: boolean;
  /** All that there are. */
  readonly list: readonly TaskStatus[];
}

/** One background task of a mount. */
export interface TaskStatus {
  /** `commit`: changes that nobody has synced are committed. `diff size`: the diff is counted. */
  readonly name: string;
  /** `waiting`: for its turn. */
  readonly state: "idle" | "waiting" | "running";
  /** How often it has run to its end. */
  readonly runs: number;
  /** How many of these runs failed. */
  readonly failures: number;
  /** When the last run ended: milliseconds since 1970. */
  readonly endedAt?: number;
  /** Why the last run failed; missing if it did not. */
  readonly error?: string;
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

/** All histograms in short. */
export function summaries(latencies: Latencies): Record<RequestKind, LatencySummary> {
  return Object.fromEntries(
    REQUEST_KINDS.map((kind) => [kind, latencies.summary(kind)]),
  ) as Record<RequestKind, LatencySummary>;
}
