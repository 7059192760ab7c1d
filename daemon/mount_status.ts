/**
 * What a mount tells of itself.
 *
 * @module
 */

import type { CounterName } from "../overlay/mod.ts";
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
  readonly pid: number;
  readonly catalogPath: string;
  readonly instance: string;
  readonly backupId: string;
  /** PostgreSQL's major version. */
  readonly serverVersion: string;
  readonly diffPath: string;
  readonly mountPath: string;
  /** Of the file system, such as `0:45`; missing until it is mounted. */
  readonly device?: string;
  /** Whether it is nowhere in the mount namespace of its process, which goes on all the same. */
  readonly isDetached: boolean;
  /** Milliseconds since 1970. */
  readonly mountedAt: number;
  readonly diff: DiffSize;
  readonly space: SpaceStatus;
  readonly counters: Readonly<Record<CounterName, number>>;
  readonly latencies: Readonly<Record<RequestKind, LatencySummary>>;
  readonly restarts: Restarts;
  /** Where its log goes. An older pbkfs does not tell. */
  readonly log?: LogTarget;
}

/** Deaths of the processes behind a mount, and whether the next one would be made good. */
export interface Restarts {
  readonly count: number;
  /** Whether somebody sees to it that it is mounted again. */
  readonly isWatched: boolean;
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
