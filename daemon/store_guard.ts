/**
 * Keeps a chain as it is while it is mounted: with pg_probackup's own locks or, where these cannot
 * be written, by watching the control files.
 *
 * @module
 */

import { type BackupRef, sourceOf, type StoreAlarm, type StoreLocks } from "../backup/mod.ts";
import { StoreLock, type StoreLockOptions } from "../binding/mod.ts";
import { ERRNO, PbkfsError } from "../errors.ts";

/** How to guard a chain. */
export interface GuardOptions extends Pick<StoreLockOptions, "libc" | "waitMs" | "signal"> {
  readonly onWait: (text: string) => void;
  /** false: only watch. */
  readonly lock: boolean;
  readonly alarm: StoreAlarm;
  readonly log: (text: string) => void;
  /** Between two looks at the control files. */
  readonly watchMs?: number;
}

/** A chain that is guarded. */
export interface StoreGuard {
  /** For the operator. */
  readonly notes: readonly string[];
  release(): Promise<void>;
}

/** Of a catalog that we may not write to. pg_probackup goes on without locks then, too. */
const NOT_WRITABLE: readonly number[] = [
  ...[ERRNO.EROFS, ERRNO.EACCES, ERRNO.EPERM, ERRNO.ENOSPC, ERRNO.EDQUOT],
];
const WATCH_MS = 1_000;

/**
 * Locks a chain, or watches it, and then sees that it is still what it was when it was found.
 *
 * @throws {PbkfsError} `StoreLocked`; `BackupNotRestorable` if it has changed.
 */
export async function guardStore(backup: BackupRef, options: GuardOptions): Promise<StoreGuard> {
  const guard = await lockOrWatch(backup, options);
  try {
    const change = await sourceOf(backup).change(backup);
    if (change === undefined) return guard;
    throw new PbkfsError("BackupNotRestorable", {
      what: `The backup has changed while it was being mounted: ${change}`,
      todo: "Look at it, in a catalog with pg_probackup show, and mount again.",
    });
  } catch (error) {
    await guard.release();
    throw error;
  }
}

async function lockOrWatch(backup: BackupRef, options: GuardOptions): Promise<StoreGuard> {
  if (!options.lock) return watched(backup, options, "--no-store-lock");
  const locks = sourceOf(backup).locks(backup);
  if (locks === undefined) return watched(backup, options, "nothing locks it");
  try {
    return await locked(backup, locks, options);
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "Io") throw error;
    return watched(backup, options, error.message);
  }
}

async function locked(
  backup: BackupRef,
  { members, note }: StoreLocks,
  options: GuardOptions,
): Promise<StoreGuard> {
  mustBeSignalable(backup);
  let lock: StoreLock;
  try {
    lock = await StoreLock.take({ ...options, members, pid: Deno.pid });
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "Io" && !NOT_WRITABLE.includes(error.errno)) {
      throw new PbkfsError("CatalogUnreadable", {
        what: `Cannot lock the backups: ${error.message}`,
        todo: "Look at the lock files of pg_probackup there, or mount with --no-store-lock.",
        cause: error,
      });
    }
    throw error;
  }
  return { notes: [note], release: () => lock.release() };
}

/**
 * pg_probackup asks by a signal whether the process in the list is alive, and gives up, restores
 * included, if it may not. The daemon of root's mount has the real user id of the backup's owner.
 *
 * @throws {PbkfsError} `Io` if it may not signal us.
 */
function mustBeSignalable(backup: BackupRef): void {
  const { uid } = sourceOf(backup).owner(backup);
  if (uid === Deno.uid() || uid === 0) return;
  throw new PbkfsError("Io", {
    what: `they belong to user ${uid}, whose pg_probackup cannot ask whether our process is alive`,
    errno: ERRNO.EPERM,
  });
}

/** Looks at the control files now and then; tells of each change once. */
function watched(backup: BackupRef, options: GuardOptions, why: string): StoreGuard {
  const { alarm, log, watchMs = WATCH_MS } = options;
  const source = sourceOf(backup);
  let told: string | undefined;
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    const change = await source.change(backup).catch((error) => (error as Error).message);
    isLooking = false;
    if (change === told) return;
    told = change;
    alarm.set(change);
    log(
      change === undefined
        ? "the backups are as they were when they were mounted: reads go on"
        : `reads of the backups fail from now on: ${change}. Stop the server and unmount`,
    );
  };
  const timer = setInterval(look, watchMs);
  return {
    notes: [source.watchedNote(why)],
    release() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}
