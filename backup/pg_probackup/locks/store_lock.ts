/**
 * pg_probackup's own locks, so that its `delete` and `merge` wait for a mount instead of pulling
 * files away. README.md of this folder has the protocol.
 *
 * @see lock_backup, grab_excl_lock_file and grab_shared_lock_file in pg_probackup, src/catalog.c
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import type { Libc } from "../../../ffi/libc.ts";
import { isAlive } from "../../../ffi/process.ts";
import { type Contents, LockFiles } from "./lock_files.ts";

/** A backup to lock. */
export interface LockedMember {
  readonly id: string;
  /** Its directory. */
  readonly dirPath: string;
}

/** What a lock takes. */
export interface StoreLockOptions {
  /** Oldest first: in this order pg_probackup locks, too. */
  readonly members: readonly LockedMember[];
  /** The process whose life keeps the lock. */
  readonly pid: number;
  readonly libc: Libc;
  /** For another process to let go, in all. */
  readonly waitMs: number;
  /** Told every few seconds whom we wait for. */
  readonly onWait?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests: how long an empty lock file is taken for one being written. */
  readonly emptyMs?: number | undefined;
}

/** As pg_probackup: thirty tries, a second each. */
const EMPTY_MS = 30_000;
const TELL_MS = 5_000;
/** Longer waiting for somebody who may wait for us would do nobody good, see `release`. */
const RELEASE_WAIT_MS = 2_000;
const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 1_000;

/** Our pid in the list of each member of a chain. */
export class StoreLock {
  readonly #options: StoreLockOptions;
  readonly #locked: LockedMember[] = [];

  private constructor(options: StoreLockOptions) {
    this.#options = options;
  }

  /**
   * Enters the pid everywhere, or, if that fails, nowhere.
   *
   * @throws {PbkfsError} `StoreLocked` if somebody else keeps a backup locked for too long; `Io`
   * with the errno if lock files cannot be written, as in a catalog that is read-only.
   */
  static async take(options: StoreLockOptions): Promise<StoreLock> {
    const lock = new StoreLock(options);
    const deadline = Date.now() + options.waitMs;
    try {
      for (const member of options.members) {
        using files = new LockFiles(member.dirPath, options.libc);
        await lock.#holding(files, { member, deadline }, () => files.add(options.pid));
        lock.#locked.push(member);
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
    return lock;
  }

  /**
   * Removes the pid. Somebody who wants a backup for himself holds its exclusive lock while he
   * waits for our process to end, so waiting for him here would be waiting for each other: after
   * two seconds the pid stays, and the end of the process lets him go on.
   */
  async release(): Promise<void> {
    const deadline = Date.now() + RELEASE_WAIT_MS;
    for (const member of this.#locked.splice(0)) {
      try {
        using files = new LockFiles(member.dirPath, this.#options.libc);
        await this.#holding(
          files,
          { member, deadline, isRelease: true },
          () => files.remove(this.#options.pid),
        );
      } catch {
        // A pid whose process is gone is dropped by whoever looks next.
      }
    }
  }

  /** Runs `body` while we have the exclusive lock of a member. */
  async #holding(
    files: LockFiles,
    wait: { member: LockedMember; deadline: number; isRelease?: boolean },
    body: () => void,
  ): Promise<void> {
    await this.#takeExclusive(files, wait);
    try {
      body();
    } finally {
      files.dropExclusive();
    }
  }

  async #takeExclusive(
    files: LockFiles,
    wait: { member: LockedMember; deadline: number; isRelease?: boolean },
  ): Promise<void> {
    const { onWait, signal, emptyMs = EMPTY_MS, pid } = this.#options;
    let pauseMs = PAUSE_MS_MIN;
    let emptySince: number | undefined;
    let tellAt = Date.now() + TELL_MS;
    while (!files.tryExclusive(pid)) {
      if (wait.isRelease !== true) signal?.throwIfAborted();
      const found = files.readExclusive();
      if (found === undefined) continue;
      emptySince = found.kind === "empty" ? emptySince ?? Date.now() : undefined;
      if (isStale(found, { pid, emptySince, emptyMs })) {
        files.removeStale(found);
        continue;
      }
      const holder = found.kind === "pid" ? `process ${found.pid}` : "a process without a name";
      const now = Date.now();
      if (now >= wait.deadline) throw locked(wait.member, holder);
      if (now >= tellAt) {
        onWait?.(`waiting for ${holder}, which has backup ${wait.member.id} locked`);
        tellAt = now + TELL_MS;
      }
      await sleep(Math.min(pauseMs, Math.max(1, wait.deadline - now)));
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
    }
  }
}

/** A file with our own pid is an old one: we have just failed to make it. */
function isStale(
  found: Contents,
  our: { pid: number; emptySince: number | undefined; emptyMs: number },
): boolean {
  if (found.kind === "bogus") return true;
  if (found.kind === "pid") return found.pid === our.pid || !isAlive(found.pid);
  return our.emptySince !== undefined && Date.now() - our.emptySince >= our.emptyMs;
}

function locked({ id, dirPath }: LockedMember, holder: string): PbkfsError {
  return new PbkfsError("StoreLocked", {
    what: `Backup ${id} is locked by ${holder}, as "${dirPath}/backup.pid" says`,
    todo: "Try again when it has finished, or wait longer with --wait SECONDS.",
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
