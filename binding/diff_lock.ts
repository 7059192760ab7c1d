/**
 * The lock on a diff: one process at a time. See {@link Owner} for what its file tells.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Fd, FLOCK, type Libc, OPEN } from "../ffi/libc.ts";
import { addressOf } from "../ffi/memory.ts";
import {
  describeOwner,
  fateOf,
  type Machine,
  type Owner,
  parseOwner,
  thisMachine,
  thisOwner,
} from "./owner.ts";
import { openDiffFile } from "../ffi/open_beneath.ts";
import { DIFF_NAMES, pathsIn } from "./layout.ts";
import { readPlainText } from "./plain_text.ts";
import { isAlive } from "../ffi/process.ts";

/** How to take a lock. */
export interface LockOptions {
  /** Take it although its last owner may be alive on another machine. */
  readonly force?: boolean | undefined;
  /** The process that mounts again when this one dies. */
  readonly guardian?: number | undefined;
  /** For tests. */
  readonly machine?: Machine | undefined;
}

/** Longer than any text of ours. */
const TEXT_BYTES_MAX = 4096;
/** Texts end with blanks, so that one that replaces another is not read with the rest of it. */
const TEXT_BYTES_UNIT = 512;
const LOOKERS_MAX = 10;
const LOOKER_MS = 20;

/** A lock that this process has. */
export class DiffLock {
  /** This process, as it was when it took the lock. */
  readonly owner: Owner;
  /** For the log: what became of the last owner, if it did not let go. */
  readonly recovered: string | undefined;
  readonly #path: string;
  readonly #libc: Libc;
  readonly #fd: Fd;
  #mountedAt: string | undefined;

  private constructor(options: {
    path: string;
    libc: Libc;
    fd: Fd;
    owner: Owner;
    recovered: string | undefined;
  }) {
    this.#path = options.path;
    this.#libc = options.libc;
    this.#fd = options.fd;
    this.owner = options.owner;
    this.recovered = options.recovered;
  }

  /**
   * Takes the lock of a diff directory, which exists.
   *
   * @throws {PbkfsError} `DiffInUse` if another process has it, or may have it; `PermissionDenied`;
   * `DiffDamaged` if the lock is no regular file.
   */
  static take(dirPath: string, libc: Libc, options: LockOptions = {}): DiffLock {
    const path = pathsIn(dirPath).lock;
    const machine = options.machine ?? thisMachine();
    const fd = lockFile(path, dirPath, libc);
    try {
      const last = parseOwner(readText(fd, libc));
      const recovered = judge(last, { dirPath, machine, force: options.force === true });
      const owner = thisOwner(machine, options.guardian);
      writeText(fd, libc, owner);
      return new DiffLock({ path, libc, fd, owner, recovered });
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  /** Tells that the mount is there. Not synced: it is of use only as long as the machine is up. */
  tellMounted(): void {
    this.#mountedAt = new Date().toISOString();
    writeText(this.#fd, this.#libc, this.#told(), { sync: false });
  }

  /** Lets another process have the diff. */
  release(): void {
    try {
      const releasedAt = new Date().toISOString();
      writeText(this.#fd, this.#libc, { ...this.#told(), releasedAt });
    } catch {
      // A full disk, say. Then the next owner will call it a crash; it is none the worse for it.
    }
    this.#libc.close(this.#fd);
  }

  #told(): Owner {
    return { ...this.owner, ...(this.#mountedAt !== undefined && { mountedAt: this.#mountedAt }) };
  }

  /** Lets go, and removes the file: there is no diff any more. */
  remove(): void {
    this.#libc.unlink(byteStringOf(this.#path));
    this.#libc.close(this.#fd);
  }
}

/** Who has a diff, or had it last. Needs no lock; undefined if that cannot be told. */
export function readOwner(dirPath: string): Owner | undefined {
  try {
    return parseOwner(readPlainText(dirPath, DIFF_NAMES.lock) ?? "");
  } catch {
    return undefined;
  }
}

/**
 * Runs `body` while nobody has the diff, whose last owner has died: what is mounted of it is dead,
 * and stays so. To its text is added what `body` returns, if it does: why it was given up.
 *
 * @throws {PbkfsError} `DiffInUse` if somebody has it by now; `PermissionDenied`.
 */
export async function afterDeath(
  dirPath: string,
  libc: Libc,
  body: () => Promise<string | undefined>,
): Promise<void> {
  const fd = lockFile(pathsIn(dirPath).lock, dirPath, libc);
  try {
    const last = parseOwner(readText(fd, libc));
    const givenUp = await body();
    if (last === undefined || givenUp === undefined) return;
    const { releasedAt: _, ...died } = last;
    writeText(fd, libc, { ...died, givenUp });
  } finally {
    libc.close(fd);
  }
}

/** Whether a process of this machine has the diff now; undefined if we may not look. */
export function isLocked(dirPath: string, libc: Libc): boolean | undefined {
  let fd: Fd;
  try {
    fd = openDiffFile(libc, byteStringOf(pathsIn(dirPath).lock), OPEN.readWrite);
  } catch (error) {
    return error instanceof PbkfsError && error.errno === ERRNO.ENOENT ? false : undefined;
  }
  try {
    return !libc.flock(fd, FLOCK.exclusive | FLOCK.nonBlocking);
  } finally {
    libc.close(fd);
  }
}

/** Opens and locks the file that has the name when the lock is there, not one just removed. */
function lockFile(path: string, dirPath: string, libc: Libc): Fd {
  for (let lookers = 0;;) {
    let fd: Fd;
    try {
      fd = openDiffFile(libc, byteStringOf(path), OPEN.readWrite | OPEN.create, 0o600);
    } catch (error) {
      if (error instanceof PbkfsError && error.code === "DiffDamaged") throw error;
      throw new PbkfsError("PermissionDenied", {
        what: `Cannot write to the diff directory "${dirPath}": ${(error as Error).message}`,
        todo: "Give a directory that you may write to with -d.",
        cause: error,
      });
    }
    try {
      if (!libc.flock(fd, FLOCK.exclusive | FLOCK.nonBlocking)) {
        const owner = parseOwner(readText(fd, libc));
        // Somebody who only looks, see isLocked, has it for a moment.
        if (hasLetGo(owner) && lookers++ < LOOKERS_MAX) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOKER_MS);
          libc.close(fd);
          continue;
        }
        throw new PbkfsError("DiffInUse", {
          what: `The diff "${dirPath}" is in use by ${describeOwner(owner)}`,
          todo: "Unmount it first, or give another directory with -d.",
        });
      }
      if (isNameOf(path, libc.fstat(fd).inode)) return fd;
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    libc.close(fd);
  }
}

/** Whether the owner that a text tells of cannot be the one who has the lock. */
function hasLetGo(owner: Owner | undefined): boolean {
  return owner !== undefined && (owner.releasedAt !== undefined || !isAlive(owner.pid));
}

/** @returns What is to be logged. @throws {PbkfsError} `DiffInUse` */
function judge(
  last: Owner | undefined,
  options: { dirPath: string; machine: Machine; force: boolean },
): string | undefined {
  const who = describeOwner(last);
  switch (fateOf(last, options.machine)) {
    case "released":
      return undefined;
    case "died":
      return `the diff was not unmounted: ${who} died; ` +
        (last?.givenUp === undefined ? "" : `${last.givenUp}; `) +
        "what it had committed is there";
    case "rebooted":
      return `the diff was not unmounted: the machine of ${who} went down; ` +
        "what it had committed is there";
    case "elsewhere":
      if (options.force) return `the diff was taken by force from ${who}`;
      throw new PbkfsError("DiffInUse", {
        what: `The diff "${options.dirPath}" was taken by ${who}, which has not let go of it`,
        todo: `Unmount it on ${last?.host}. If that machine is down for certain, use --force: ` +
          "two machines that write to one diff destroy it.",
      });
  }
}

function isNameOf(path: string, inode: number): boolean {
  try {
    return Deno.lstatSync(path).ino === inode;
  } catch {
    return false;
  }
}

function readText(fd: Fd, libc: Libc): string {
  const bytes = new Uint8Array(TEXT_BYTES_MAX);
  const size = libc.pread(fd, addressOf(bytes), { offsetBytes: 0, sizeBytes: TEXT_BYTES_MAX });
  return new TextDecoder().decode(bytes.subarray(0, size));
}

function writeText(fd: Fd, libc: Libc, owner: Owner, options = { sync: true }): void {
  const text = new TextEncoder().encode(JSON.stringify(owner));
  const size = Math.ceil((text.length + 1) / TEXT_BYTES_UNIT) * TEXT_BYTES_UNIT;
  const bytes = new Uint8Array(size).fill(0x20);
  bytes.set(text);
  bytes[size - 1] = 0x0a;
  libc.pwrite(fd, addressOf(bytes), { offsetBytes: 0, sizeBytes: bytes.length });
  libc.ftruncate(fd, bytes.length);
  if (options.sync) libc.fdatasync(fd);
}
