/**
 * The interface of a backup source: what a kind of backup must offer, so that it can be mounted.
 * `backup/sources.ts` has the list of the kinds that there are.
 *
 * @module
 */

import type { Libc } from "../../ffi/libc.ts";
import type { Base, OpenOptions } from "./base.ts";
import type { FileOwner } from "./store_directory.ts";
import type { WalPlan } from "./wal_file.ts";

/**
 * A backup that was found and can be served, as plain data: it crosses to another process or thread
 * as JSON does.
 *
 * @typeParam Data What its source needs to open it.
 */
export interface BackupRef<Data = unknown> {
  /** The {@link BackupSource} that found it. */
  readonly kind: string;
  /** Which it is. */
  readonly identity: BackupIdentity;
  /** PostgreSQL's major version, such as `15` or `9.6`. */
  readonly serverVersion: string;
  /** How each of {@link BackupIdentity.members} was made, such as `FULL` or `DELTA`. */
  readonly modes: readonly string[];
  /** What it is, for people. */
  readonly title: string;
  /** For the operator, if there is something to know about how it was found. */
  readonly notes: readonly string[];
  /** Of the source's own. */
  readonly data: Data;
}

/** What a diff is bound to. */
export interface BackupIdentity {
  /** Where it was found: absolute, without symbolic links. All else is the same elsewhere. */
  readonly catalogPath: string;
  /** Its name in a catalog; of a data directory, the system identifier. */
  readonly instance: string;
  /** Of the cluster, in decimal digits. */
  readonly systemIdentifier?: string;
  /** What bytes come from, the backup itself last; never empty. */
  readonly members: readonly { readonly id: string; readonly contentCrc?: number }[];
}

/** What a source has read of a backup, to be handed to who opens it in another thread. */
export interface Learnt {
  readonly data: unknown;
  /** What it lies in: whoever transfers it has it no more. */
  readonly buffers: readonly ArrayBuffer[];
}

/** What a new diff takes over of a backup. Nothing is left open. */
export interface FirstLook {
  readonly owner: FileOwner;
  /** Permission bits of the directory `pg_wal`. */
  readonly walMode: number;
  /** The WAL that a server needs to become consistent. */
  readonly wal: WalPlan;
  readonly learnt: Learnt | undefined;
}

/** How a backup is held. */
export interface HoldOptions {
  readonly libc: Libc;
  /** For other processes to let go of it, in milliseconds, in all. */
  readonly waitMs: number;
  /** Told every few seconds whom we wait for. */
  readonly onWait: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** false: nothing is written beside it; it is only watched. */
  readonly lock: boolean;
  /**
   * Told of each change, once, of a backup that is only watched: a sentence without its full stop, or
   * undefined when it is again what it was.
   */
  readonly onChange: (change: string | undefined) => void;
  /** Between two looks at what is watched; a second if left out. */
  readonly watchMs?: number | undefined;
}

/** A backup that is held, by the process that asked for it. */
export interface Hold {
  /** For the operator: what it means for others. */
  readonly notes: readonly string[];
  release(): Promise<void>;
}

/**
 * A kind of backup.
 *
 * @typeParam Data Of its {@link BackupRef}.
 * @typeParam Wanted What tells a backup from others.
 */
export interface BackupSource<Data, Wanted> {
  readonly kind: string;
  /** What people call the place where such a backup is, {@link BackupIdentity.catalogPath}. */
  readonly placeName: string;
  /** Finds a backup that can be served. @throws {PbkfsError} why it cannot. */
  resolve(wanted: Wanted): Promise<BackupRef<Data>>;
  /** Who owns it, and by default the tree. @throws {PbkfsError} */
  owner(backup: BackupRef<Data>): FileOwner;
  /**
   * Checks of a backup of root's that nobody else could put another one in its place.
   *
   * @throws {PbkfsError} `PermissionDenied`
   */
  mustBeRootsAlone(backup: BackupRef<Data>): void;
  /** Reads what a new diff takes over. @throws {PbkfsError} */
  look(backup: BackupRef<Data>): Promise<FirstLook>;
  /** Opens it as a tree. @throws {PbkfsError} */
  open(backup: BackupRef<Data>, options: OpenOptions, learnt?: Learnt): Promise<Base>;
  /**
   * Whether it is still what it was when it was found.
   *
   * @returns What has changed, as a sentence without its full stop; undefined if nothing has.
   */
  change(backup: BackupRef<Data>): Promise<string | undefined>;
  /**
   * Keeps others from changing it or, where nothing does, watches it. What had changed before is not
   * told: who holds a backup asks {@link change} then.
   *
   * @throws {PbkfsError} `StoreLocked` if somebody else does not let go of it in time.
   */
  hold(backup: BackupRef<Data>, options: HoldOptions): Promise<Hold>;
}
