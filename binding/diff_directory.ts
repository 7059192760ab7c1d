/**
 * A diff directory: what is in it, who has it, and how it begins.
 *
 * ```
 * .pbkfs-binding.json   which backup it belongs to; written last, so it is there or the diff is not
 * .pbkfs-lock           locked by the process that has the diff mounted
 * metadata.sqlite       names, attributes, page maps
 * data/                 changed bytes
 * wal/                  the clone's pg_wal
 * control.sock          where the mount's process listens
 * pbkfs.log             what it says
 * ```
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Fd, FLOCK, type Libc, OPEN } from "../ffi/libc.ts";
import { type Binding, parseBinding } from "./binding.ts";

/** What pbkfs makes in a diff directory. SQLite adds to the name of its file. */
const OURS =
  /^(\.pbkfs-binding\.json(\.tmp)?|\.pbkfs-lock|metadata\.sqlite.*|data|wal|wal\.tmp|control\.sock|pbkfs\.log)$/;

const LOCK_NAME = ".pbkfs-lock";

/** A diff directory that this process has locked. */
export class DiffDirectory {
  readonly path: string;
  readonly #libc: Libc;
  readonly #lock: Fd;
  /** The directory was made for this. */
  readonly #isMade: boolean;
  binding: Binding | undefined;

  private constructor(path: string, options: { libc: Libc; lock: Fd; isMade: boolean }) {
    this.path = path;
    this.#libc = options.libc;
    this.#lock = options.lock;
    this.#isMade = options.isMade;
  }

  /**
   * Makes the directory if there is none, and locks it. The lock dies with the process.
   *
   * @param path Absolute.
   * @throws {PbkfsError} `DiffInUse`, `DiffForeign` if other things are in it, `PermissionDenied`,
   * and what {@link parseBinding} throws.
   */
  static open(path: string, libc: Libc): DiffDirectory {
    const isMade = makeDirectory(path);
    try {
      const binding = readBinding(path);
      if (binding === undefined) mustHoldOnlyOurs(path);
      const lock = takeLock(path, libc);
      const diff = new DiffDirectory(path, { libc, lock, isMade });
      diff.binding = binding;
      return diff;
    } catch (error) {
      if (isMade) removeIfEmpty(path);
      throw error;
    }
  }

  get dataPath(): string {
    return `${this.path}/data`;
  }

  get walPath(): string {
    return `${this.path}/wal`;
  }

  get storePath(): string {
    return `${this.path}/metadata.sqlite`;
  }

  get socketPath(): string {
    return `${this.path}/control.sock`;
  }

  get logPath(): string {
    return `${this.path}/pbkfs.log`;
  }

  /**
   * Begins an empty diff: removes what an attempt that died has left, and makes the directories.
   *
   * @param owner Who may enter: the owner of the files in the tree.
   */
  begin(owner: { readonly uid: number; readonly gid: number }): void {
    this.#removeContents();
    for (const path of [this.dataPath, `${this.walPath}.tmp`]) {
      Deno.mkdirSync(path, { mode: 0o700 });
      Deno.chownSync(path, owner.uid, owner.gid);
    }
    Deno.chownSync(this.path, owner.uid, owner.gid);
  }

  /** Where the WAL that the backup needs is gathered before {@link DiffDirectory.finish}. */
  get newWalPath(): string {
    return `${this.walPath}.tmp`;
  }

  /** From now on this diff belongs to a backup. Durable when it returns. */
  finish(binding: Binding): void {
    Deno.renameSync(this.newWalPath, this.walPath);
    this.writeBinding(binding);
  }

  /** Replaces the binding, all or nothing. */
  writeBinding(binding: Binding): void {
    const path = `${this.path}/.pbkfs-binding.json`;
    const file = Deno.openSync(`${path}.tmp`, { create: true, write: true, truncate: true });
    try {
      const bytes = new TextEncoder().encode(`${JSON.stringify(binding, null, 2)}\n`);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(`${path}.tmp`, path);
    this.#syncDirectory();
    this.binding = binding;
  }

  /** Removes a diff that could not begin, and the directory if it was made for it. */
  abandon(): void {
    this.#removeContents();
    this.#libc.unlink(byteStringOf(`${this.path}/${LOCK_NAME}`));
    this.#libc.close(this.#lock);
    if (this.#isMade) removeIfEmpty(this.path);
  }

  /** Lets another process have the diff. */
  release(): void {
    this.#libc.close(this.#lock);
  }

  /** All but the lock. Names that are not ours are not there, see {@link mustHoldOnlyOurs}. */
  #removeContents(): void {
    for (const { name } of Deno.readDirSync(this.path)) {
      if (name === LOCK_NAME || !OURS.test(name)) continue;
      Deno.removeSync(`${this.path}/${name}`, { recursive: true });
    }
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

/** The binding of a diff, or undefined if it has none. Needs no lock. */
export function readBinding(path: string): Binding | undefined {
  const file = `${path}/.pbkfs-binding.json`;
  try {
    return parseBinding(Deno.readTextFileSync(file), file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** @returns Whether it had to be made. */
function makeDirectory(path: string): boolean {
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
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
    throw new PbkfsError("PermissionDenied", {
      what: `The diff directory "${path}" cannot be made: ${(error as Error).message}`,
      todo: "Give a directory that you may write to with -d.",
      cause: error,
    });
  }
}

function mustHoldOnlyOurs(path: string): void {
  for (const { name } of Deno.readDirSync(path)) {
    if (OURS.test(name) || name === "lost+found") continue;
    throw new PbkfsError("DiffForeign", {
      what: `The diff directory "${path}" is not empty and not a pbkfs diff: it holds "${name}"`,
      todo: "Give an empty or absent directory with -d.",
    });
  }
}

function takeLock(path: string, libc: Libc): Fd {
  const name = `${path}/${LOCK_NAME}`;
  let fd: Fd;
  try {
    fd = libc.open(byteStringOf(name), OPEN.readWrite | OPEN.create | OPEN.noFollow, 0o600);
  } catch (error) {
    throw new PbkfsError("PermissionDenied", {
      what: `Cannot write to the diff directory "${path}": ${(error as Error).message}`,
      todo: "Give a directory that you may write to with -d.",
      cause: error,
    });
  }
  if (libc.flock(fd, FLOCK.exclusive | FLOCK.nonBlocking)) {
    writeOwner(name);
    return fd;
  }
  libc.close(fd);
  const owner = Deno.readTextFileSync(name).trim();
  throw new PbkfsError("DiffInUse", {
    what: `The diff "${path}" is mounted already, by ${owner || "another process"}`,
    todo: "Unmount it first, or give another directory with -d.",
  });
}

function writeOwner(name: string): void {
  const text = `pid ${Deno.pid} on ${Deno.hostname()} since ${new Date().toISOString()}\n`;
  Deno.writeTextFileSync(name, text);
}

function removeIfEmpty(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody has put something there meanwhile; it stays.
  }
}
