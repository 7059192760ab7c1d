/**
 * The messages between the parts of a mount: the command that asks for it, the daemon, and the
 * thread that serves the kernel. All of it is plain data.
 *
 * @module
 */

import type { BackupRef, Learnt } from "../backup/mod.ts";
import type { Binding, WalPlace } from "../binding/mod.ts";
import type { ErrorData } from "../errors.ts";
import type {
  BackgroundTasks,
  LogFacts,
  LogOptions,
  MetricsAddress,
  MountStatus,
  TraceNews,
} from "../observe/mod.ts";
import type { CommitChannel, PackedState, ReadWorkers } from "../overlay/mod.ts";
import type { ErrandsData } from "./errands.ts";
import type { FastPath } from "./fast_paths.ts";

/** Asks a daemon to mount. Paths are absolute and free of symbolic links. */
export interface MountRequest {
  /** What to serve. */
  readonly backup: BackupRef;
  /** Where changes go. */
  readonly diffPath: string;
  /** Where to mount. */
  readonly mountPath: string;
  /** Whether the mount directory was made for this mount, and is to go with it. */
  readonly isDirectoryMade?: boolean;
  /** undefined: as the diff has it; `outside` for a new one. */
  readonly wal: WalPlace | undefined;
  /** false: the backups are watched, not locked. */
  readonly storeLock?: boolean;
  /** Take the diff although another machine may have it. */
  readonly force?: boolean;
  /** For whom root mounts: whose rights the daemon has. */
  readonly actFor?: { readonly uid: number; readonly gid: number };
  /** For others to let go of the backups; for the diff, too, if given. */
  readonly waitMs?: number;
  /** What its log is like, and where it goes. */
  readonly logging: LogOptions;
  /** Where to serve metrics; nowhere if undefined. */
  readonly metrics?: MetricsAddress | undefined;
  /** Serve, read-only, what is left of a damaged diff. */
  readonly salvage?: boolean | undefined;
}

/** What the daemon prints for the command that started it: news, then one last line. */
export type StartAnswer =
  | { readonly progress: string }
  | { readonly mounted: { readonly pid: number; readonly notes: readonly string[] } }
  | { readonly error: ErrorData };

/** What the dispatcher thread needs to begin. */
export interface DispatcherSetup {
  readonly backup: BackupRef;
  /** What has been read of it, handed over. */
  readonly learnt: Learnt | undefined;
  readonly binding: Binding;
  readonly diffPath: string;
  readonly mountPath: string;
  readonly salvage?: boolean | undefined;
  readonly allowOther: boolean;
  readonly counters: SharedArrayBuffer;
  readonly latencies: SharedArrayBuffer;
  /** Of a {@link Waiting}. */
  readonly waiting: SharedArrayBuffer;
  /** Tell of each request and reply. */
  readonly tracing: boolean;
  /** One cell: which of `SPACE_STATES` it is. */
  readonly space: SharedArrayBuffer;
  /** Of a {@link StoreAlarm}. */
  readonly alarm: SharedArrayBuffer;
  /**
   * What the diff's store holds, and the way to the thread that has it open; without one, the
   * dispatcher opens it.
   */
  readonly commits: { readonly state: PackedState; readonly channel: CommitChannel } | undefined;
  /** The way to the threads that do long reads, if there are any. */
  readonly reads: Pick<ReadWorkers, "queue" | "count"> | undefined;
  readonly errands: ErrandsData;
  readonly fastPaths: readonly FastPath[];
  /** The diff's mount is there, dead, and must go first. */
  readonly replacesDead: boolean;
}

/** A line for the log, with what belongs to it. */
export interface Note {
  readonly level: "info" | "warning";
  readonly text: string;
  readonly facts: LogFacts;
}

/** What is known of a mount that is there. */
export interface MountedNews {
  /** For the operator. */
  readonly notes: readonly string[];
  /** Of the diff's metadata, when it was opened. */
  readonly generation: number;
}

/** What the dispatcher thread tells while it serves. */
export type DispatcherNews =
  /** A request ended with an error that the operator should know. */
  | { readonly problem: { readonly what: string; readonly error: ErrorData } }
  /** A line for the log. */
  | { readonly note: Note }
  | { readonly trace: TraceNews }
  /** The answer to a sync that was wanted; with `error`, not all is on disk. */
  | { readonly synced: { readonly number: number; readonly error?: ErrorData } }
  /** Changes are to be committed, at a good moment. */
  | { readonly commitDue: true }
  /** The answer to a commit that was wanted. */
  | { readonly committed: { readonly number: number; readonly error?: ErrorData } }
  /** The kernel has let go of the mount, or we have; what was written goes to disk now. */
  | { readonly disconnected: true }
  /** Something that the operator should know. */
  | { readonly warning: string };

/** A request on the control socket: one line of JSON. */
export interface ControlRequest {
  /**
   * - `status`: tell what you are.
   * - `unmount`: unmount, in the namespace of the process that serves the mount.
   * - `sync`: bring to disk what was written through the mount, wherever it is mounted.
   * - `end`: the same, and then end, whoever uses the mount.
   * - `pause`, `resume`: background tasks.
   */
  readonly operation: "status" | "unmount" | "sync" | "end" | "pause" | "resume";
}

/** The answer: one line of JSON. */
export type ControlAnswer =
  | { readonly status: MountStatus }
  | { readonly unmounted: true; readonly pid: number }
  /** Unmounted here, but somebody keeps it: it goes on. */
  | { readonly kept: { readonly pid: number; readonly device: string } }
  | { readonly synced: true }
  | { readonly tasks: BackgroundTasks }
  | { readonly error: ErrorData };
