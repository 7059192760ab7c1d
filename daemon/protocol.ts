/**
 * What the parts of a mount tell each other: the command that asks for it, the daemon, and the
 * thread that serves the kernel. All of it is plain data.
 *
 * @module
 */

import type { ChainSpec } from "../backup/mod.ts";
import type { Binding, WalPlace } from "../binding/mod.ts";
import type { CommitChannel, CounterName, MetadataState } from "../overlay/mod.ts";
import type { Code } from "../errors.ts";

/** Asks a daemon to mount. Paths are absolute and free of symbolic links. */
export interface MountRequest {
  readonly spec: ChainSpec;
  readonly diffPath: string;
  readonly mountPath: string;
  /** undefined: as the diff has it; `outside` for a new one. */
  readonly wal: WalPlace | undefined;
}

/** A {@link PbkfsError} as data. */
export interface ErrorData {
  readonly code: Code;
  readonly what: string;
  readonly todo: string;
  readonly errno: number;
}

/** The one line that the daemon prints for the command that started it. */
export type StartAnswer =
  | { readonly mounted: { readonly pid: number; readonly notes: readonly string[] } }
  | { readonly error: ErrorData };

/** What the dispatcher thread needs to begin. */
export interface DispatcherSetup {
  readonly spec: ChainSpec;
  readonly binding: Binding;
  readonly diffPath: string;
  readonly mountPath: string;
  readonly allowOther: boolean;
  readonly counters: SharedArrayBuffer;
  /** What the diff's store holds, and the way to the thread that has it open. */
  readonly state: MetadataState;
  readonly commits: CommitChannel;
}

/** What the dispatcher thread tells. */
export type DispatcherNews =
  | { readonly mounted: true }
  | { readonly failed: ErrorData }
  /** The file system has been unmounted; with `error`, not all is on disk. */
  | { readonly ended: { readonly error?: ErrorData } };

/** A request on the control socket: one line of JSON. */
export type ControlRequest = { readonly operation: "status" } | { readonly operation: "unmount" };

/** The answer: one line of JSON. */
export type ControlAnswer =
  | { readonly status: MountStatus }
  | { readonly unmounted: true }
  | { readonly error: ErrorData };

/** What a mount tells of itself. */
export interface MountStatus {
  readonly pid: number;
  readonly catalogPath: string;
  readonly instance: string;
  readonly backupId: string;
  readonly diffPath: string;
  readonly mountPath: string;
  /** Milliseconds since 1970. */
  readonly mountedAt: number;
  readonly counters: Readonly<Record<CounterName, number>>;
}
