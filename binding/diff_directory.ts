/**
 * A diff directory: who has it, and how it begins. What is in it, `layout.ts` tells.
 *
 * @module
 */

import { diskFullErrno, ERRNO, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { asRoot, hasRootBehind, isRootBehind } from "../ffi/credentials.ts";
import { type Fd, type Libc, OPEN } from "../ffi/libc.ts";
import { inParent, openPlainDirectory } from "../ffi/open_beneath.ts";
import { type Binding, parseBinding } from "./binding.ts";
import { mustHoldOnlyOurs, removeContents, removeRest } from "./diff_contents.ts";
import { DiffLock, type LockOptions } from "./diff_lock.ts";
import { DIFF_NAMES, type DiffPaths, pathsIn, temporaryOf } from "./layout.ts";
import type { Owner } from "./owner.ts";
import { readPlainText } from "./plain_text.ts";

/** Its owner in the tree traverses it to reach `wal`; nobody else needs to. */
const MODE_FOR_GROUP = 0o710;
/** What PostgreSQL gives to the group of a cluster with group access. */
const GROUP_ACCESS = 0o050;

/** A diff directory that this process has locked. */
export class DiffDirectory {
  readonly path: string;
  readonly #libc: Libc;
  readonly #lock: DiffLock;
  /** Puts things back as they were before, if the diff cannot begin. */
  readonly #undo: () => void;
  binding: Binding | undefined;

  private constructor(
    path: string,
    options: { libc: Libc; lock: DiffLock; undo: () => void },
  ) {
    this.path = path;
    this.#libc = options.libc;
    this.#lock = options.lock;
    this.#undo = options.undo;
  }

  /**
   * Makes the directory if there is none, and locks it. The lock dies with the process.
   *
   * @param path Absolute.
   * @throws {PbkfsError} `DiffInUse`, `DiffForeign` if other things are in it, `PermissionDenied`,
   * and what {@link parseBinding} throws.
   */
  static open(path: string, libc: Libc, options: LockOptions = {}): DiffDirectory {
    const isMade = makeDirectory(path, libc);
    const given = isMade ? undefined : takeOver(path, libc);
    mustBeOwn(path);
    const { mode, uid, gid } = Deno.statSync(path);
    const undo = () => {
      if (isMade) return removeIfEmpty(path, libc);
      if (Deno.uid() === 0 || Deno.statSync(path).gid !== gid) Deno.chownSync(path, uid, gid);
      Deno.chmodSync(path, (mode ?? 0) & 0o7777);
      if (given !== undefined) giveBack(path, given, libc);
    };
    try {
      if (readBinding(path) === undefined) mustHoldOnlyOurs(path);
      const lock = DiffLock.take(path, libc, options);
      const diff = new DiffDirectory(path, { libc, lock, undo });
      try {
        // Read once more: whoever had the lock before may have changed it.
        diff.binding = readBinding(path);
      } catch (error) {
        lock.release();
        throw error;
      }
      return diff;
    } catch (error) {
      if (isMade) removeIfEmpty(path, libc);
      else if (given !== undefined) giveBack(path, given, libc);
      throw error;
    }
  }

  /** This process, as the lock has it. */
  get owner(): Owner {
    return this.#lock.owner;
  }

  /** For the log: what became of the last owner, if it did not let go. */
  get recovered(): string | undefined {
    return this.#lock.recovered;
  }

  /** Of what is in it. */
  get paths(): DiffPaths {
    return pathsIn(this.path);
  }

  /**
   * Begins an empty diff: removes what an attempt that died has left, and makes the directories.
   *
   * @param owner The owner of the files in the tree; their group can pass through to the WAL where
   * it may read that.
   * @param walMode The mode of `pg_wal`: 0750 of a cluster with group access. More than that is
   * given to nobody.
   */
  begin(owner: { readonly uid: number; readonly gid: number }, walMode = 0o700): void {
    removeContents(this.path);
    for (const path of [this.paths.data, this.paths.newWal]) {
      Deno.mkdirSync(path, { mode: 0o700 });
      Deno.chownSync(path, owner.uid, owner.gid);
    }
    const forGroup = walMode & GROUP_ACCESS;
    Deno.chmodSync(this.paths.newWal, 0o700 | forGroup); // Whatever the umask is.
    const { uid } = Deno.statSync(this.path);
    if (uid === owner.uid && forGroup === 0) return;
    Deno.chownSync(this.path, uid, owner.gid);
    Deno.chmodSync(this.path, MODE_FOR_GROUP);
  }

  /** From now on this diff belongs to a backup. Durable when it returns. */
  finish(binding: Binding): void {
    Deno.renameSync(this.paths.newWal, this.paths.wal);
    this.writeBinding(binding);
  }

  /** Replaces the binding, all or nothing. */
  writeBinding(binding: Binding): void {
    const path = this.paths.binding;
    const temporary = temporaryOf(path);
    removeRest(temporary);
    const file = Deno.openSync(temporary, { createNew: true, write: true, mode: 0o600 });
    try {
      const bytes = new TextEncoder().encode(`${JSON.stringify(binding, null, 2)}\n`);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(temporary, path);
    this.#syncDirectory();
    this.binding = binding;
  }

  /** Removes a diff that could not begin, and the directory if it was made for it. */
  abandon(): void {
    removeContents(this.path);
    this.#lock.remove();
    this.#undo();
  }

  /** Tells in the lock's text that the mount is there. */
  tellMounted(): void {
    this.#lock.tellMounted();
  }

  /** Lets another process have the diff. */
  release(): void {
    this.#lock.release();
  }

  #syncDirectory(): void {
    const fd = this.#libc.open(byteStringOf(this.path), OPEN.readOnly | OPEN.directory);
    try {
      this.#libc.fsync(fd);
    } finally {
      this.#libc.close(fd);
    }
  }
}

/**
 * The binding of a diff, or undefined if it has none. Needs no lock.
 *
 * @throws {PbkfsError} `PermissionDenied`, and what {@link parseBinding} throws.
 */
export function readBinding(path: string): Binding | undefined {
  const file = pathsIn(path).binding;
  try {
    const text = readPlainText(path, DIFF_NAMES.binding);
    return text === undefined ? undefined : parseBinding(text, file);
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "Io") throw error;
    if (error.errno !== ERRNO.EACCES) {
      throw new PbkfsError("DiffDamaged", {
        what: `The diff has no binding that can be read: ${error.message}`,
        todo: "Restore it from a copy, or start with an empty diff directory.",
        cause: error,
      });
    }
    throw new PbkfsError("PermissionDenied", {
      what: `Cannot read "${file}": ${error.message}`,
      todo: "Run pbkfs as the user who made the diff.",
      cause: error,
    });
  }
}

/** @returns Whether it had to be made. */
function makeDirectory(path: string, libc: Libc): boolean {
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied && hasRootBehind()) {
      makeForUser(path, libc);
      return true;
    }
    if (error instanceof Deno.errors.AlreadyExists) {
      if (Deno.statSync(path).isDirectory) return false;
      throw new PbkfsError("DiffMisplaced", {
        what: `The diff directory "${path}" is not a directory`,
        todo: "Give an empty or absent directory with -d.",
        cause: error,
      });
    }
    if (error instanceof Deno.errors.NotFound) {
      throw new PbkfsError("DiffMisplaced", {
        what: `The diff directory "${path}" cannot be made: its parent directory does not exist`,
        todo: "Make the parent directory, or give another one with -d.",
        cause: error,
      });
    }
    if (diskFullErrno(error) !== undefined) throw error;
    throw new PbkfsError("PermissionDenied", {
      what: `The diff directory "${path}" cannot be made: ${(error as Error).message}`,
      todo: "Give a directory that you may write to with -d.",
      cause: error,
    });
  }
}

/**
 * Root may say that a diff is to be where the owner of the backup cannot make a directory. What he
 * is given is empty, whatever has been put in its place meanwhile.
 */
function makeForUser(path: string, libc: Libc): void {
  asRoot(() => inParent(libc, path, (ownPath) => Deno.mkdirSync(ownPath, { mode: 0o700 })));
  if (takeOver(path, libc) === undefined) {
    throw new PbkfsError("DiffMisplaced", {
      what: `The diff directory "${path}" was replaced while it was being made`,
      todo: "Choose a place that other users may not write to.",
    });
  }
}

/** Gives the user an empty directory of root's. @returns Its inode; undefined if it is not one. */
function takeOver(path: string, libc: Libc): number | undefined {
  if (!hasRootBehind()) return undefined;
  const owner = { uid: Deno.uid() as number, gid: Deno.gid() as number };
  return asRoot(() => {
    const fd = openPlainDirectory(libc, byteStringOf(path), OPEN.readOnly | OPEN.noFollow);
    try {
      const { uid, inode } = libc.fstat(fd);
      if (uid !== 0 || !isEmpty(fd)) return undefined;
      libc.fchown(fd, owner);
      return inode;
    } finally {
      libc.close(fd);
    }
  });
}

/** The other way round, if it is still that directory, and empty. */
function giveBack(path: string, inode: number, libc: Libc): void {
  const own = Deno.uid();
  asRoot(() => {
    const fd = openPlainDirectory(libc, byteStringOf(path), OPEN.readOnly | OPEN.noFollow);
    try {
      const found = libc.fstat(fd);
      if (found.uid !== own || found.inode !== inode || !isEmpty(fd)) return;
      libc.fchown(fd, { uid: 0, gid: 0 });
    } finally {
      libc.close(fd);
    }
  });
}

function isEmpty(directory: Fd): boolean {
  const [something] = Deno.readDirSync(`/proc/self/fd/${directory}`);
  return something === undefined;
}

/** Root mounts for a user what is that user's, and nobody else's. */
function mustBeOwn(path: string): void {
  const { uid } = Deno.statSync(path);
  const own = Deno.uid();
  if (uid === own || !isRootBehind()) return;
  throw new PbkfsError("PermissionDenied", {
    what: `The diff directory "${path}" belongs to user ${uid}, the backup to user ${own}`,
    todo:
      `Give another directory with -d; or, if you trust what is in it: chown -R ${own} "${path}"`,
  });
}

function removeIfEmpty(path: string, libc: Libc): void {
  try {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied) || !hasRootBehind()) throw error;
      // It is where only root can make and remove something.
      asRoot(() => inParent(libc, path, (ownPath) => Deno.removeSync(ownPath)));
    }
  } catch {
    // Somebody has put something there meanwhile; it stays.
  }
}
