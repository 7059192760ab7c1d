/**
 * The two lock files in a backup's directory: `backup.pid`, for one process, and `backup_ro.pid`,
 * for many.
 *
 * Root writes here into a directory that belongs to somebody else, who may have put links there, or
 * put a link in its place at any moment: all names are looked up in the directory that was opened,
 * files are made anew, never through a name that exists, and given away by descriptor. What is read
 * is a regular file, and the first part of it.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../../errors.ts";
import { type ByteString, byteStringOf } from "../../../ffi/bytes.ts";
import { type Fd, type Libc, OPEN } from "../../../ffi/libc.ts";
import { addressOf, allocate } from "../../../ffi/memory.ts";
import {
  openDirectoryBeneath,
  type OpenedFile,
  openFileBeneath,
} from "../../../ffi/open_beneath.ts";
import { isAlive } from "../../../ffi/process.ts";

/** What is in `backup.pid`. The inode tells whether it is still the same file. */
export type Contents =
  & { readonly inode: number | null }
  & (
    | { readonly kind: "pid"; readonly pid: number }
    | { readonly kind: "empty" }
    | { readonly kind: "bogus" }
  );

/** Others than the owner read the list, too; what is in it is no secret. */
const MODE = 0o644;

const EXCLUSIVE = "backup.pid";
const SHARED = "backup_ro.pid";
/** A list of pids is never longer: they would be thousands. */
const LIST_BYTES_MAX = 64 * 1024;

/** The lock files of one backup. */
export class LockFiles implements Disposable {
  readonly #dirPath: string;
  readonly #directory: Fd;
  readonly #exclusive: string;
  readonly #shared: string;
  readonly #libc: Libc;
  readonly #owner: { readonly uid: number; readonly gid: number };

  /** @throws {PbkfsError} `Io`, also if there are symbolic links in the path. */
  constructor(dirPath: string, libc: Libc) {
    this.#libc = libc;
    const root = libc.open("/" as ByteString, OPEN.pathOnly | OPEN.directory);
    try {
      this.#directory = openDirectoryBeneath(libc, root, byteStringOf(dirPath.slice(1)));
    } finally {
      libc.close(root);
    }
    const { uid, gid } = libc.fstat(this.#directory);
    this.#owner = { uid, gid };
    // The system finds the directory by its descriptor, wherever it is by now.
    this.#exclusive = `/proc/self/fd/${this.#directory}/${EXCLUSIVE}`;
    this.#shared = `/proc/self/fd/${this.#directory}/${SHARED}`;
    this.#dirPath = dirPath;
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#directory);
  }

  /** Makes `backup.pid`. @returns Whether it could be made; false if there is one. */
  tryExclusive(pid: number): boolean {
    try {
      this.#make(this.#exclusive, `${pid}\n`);
      return true;
    } catch (error) {
      if (error instanceof PbkfsError && error.errno === ERRNO.EEXIST) return false;
      throw error;
    }
  }

  /** undefined if it is gone by now. */
  readExclusive(): Contents | undefined {
    const found = this.#read(EXCLUSIVE);
    if (found === undefined) return undefined;
    const { text, inode } = found;
    if (text === "") return { kind: "empty", inode };
    const pid = parseInt(text);
    return pid > 0 ? { kind: "pid", pid, inode } : { kind: "bogus", inode };
  }

  /** Removes a `backup.pid` that a dead process left, unless another one has been made since. */
  removeStale({ inode }: Contents): void {
    try {
      if (Deno.lstatSync(this.#exclusive).ino === inode) Deno.removeSync(this.#exclusive);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw unreadable(`${this.#dirPath}/${EXCLUSIVE}`, error);
      }
    }
  }

  dropExclusive(): void {
    this.#remove(this.#exclusive);
  }

  /** Adds a process to the list, and drops dead ones. The caller has the exclusive lock. */
  add(pid: number): void {
    this.#write([...this.#list().filter((other) => other !== pid), pid]);
  }

  /** Removes a process from the list, and dead ones; the last one removes the list. */
  remove(pid: number): void {
    this.#write(this.#list().filter((other) => other !== pid));
  }

  #list(): number[] {
    const text = this.#read(SHARED)?.text ?? "";
    const pids = text.split("\n").map((line) => parseInt(line)).filter((pid) => pid > 0);
    return [...new Set(pids)].filter(isAlive);
  }

  /** @returns undefined if there is none. @throws {PbkfsError} `Io` if it cannot be one. */
  #read(name: string): { readonly text: string; readonly inode: number } | undefined {
    let opened: OpenedFile | undefined;
    try {
      opened = openFileBeneath(this.#libc, this.#directory, byteStringOf(name));
    } catch (error) {
      if (error instanceof PbkfsError && error.errno === ERRNO.ENOENT) return undefined;
      throw unreadable(`${this.#dirPath}/${name}`, error);
    }
    if (opened === undefined) {
      throw unreadable(`${this.#dirPath}/${name}`, new Error("it is not a regular file"));
    }
    const { fd, status: { inode } } = opened;
    const { bytes, address } = allocate(LIST_BYTES_MAX);
    try {
      const size = this.#libc.pread(fd, address, { offsetBytes: 0, sizeBytes: bytes.length });
      return { text: new TextDecoder().decode(bytes.subarray(0, size)), inode };
    } finally {
      this.#libc.close(fd);
    }
  }

  #write(pids: readonly number[]): void {
    if (pids.length === 0) return this.#remove(this.#shared);
    const temporary = `${this.#shared}tmp`;
    this.#remove(temporary);
    this.#make(temporary, pids.map((pid) => `${pid}\n`).join(""));
    Deno.renameSync(temporary, this.#shared);
  }

  /** Makes a file that is not there, as the owner of the directory would. */
  #make(path: string, text: string): void {
    const flags = OPEN.readWrite | OPEN.create | OPEN.exclusive | OPEN.noFollow;
    // Its owner must be able to read it from the beginning.
    const umask = Deno.umask(0);
    let fd: Fd;
    try {
      fd = this.#libc.open(byteStringOf(path), flags, MODE);
    } catch (error) {
      throw this.#named(error);
    } finally {
      Deno.umask(umask);
    }
    try {
      if (Deno.uid() === 0) this.#libc.fchown(fd, this.#owner);
      this.#libc.fchmod(fd, MODE);
      const bytes = new TextEncoder().encode(text);
      this.#libc.pwrite(fd, addressOf(bytes), { offsetBytes: 0, sizeBytes: bytes.length });
    } catch (error) {
      this.#remove(path);
      throw error;
    } finally {
      this.#libc.close(fd);
    }
  }

  #remove(path: string): void {
    try {
      this.#libc.unlink(byteStringOf(path));
    } catch (error) {
      if (!(error instanceof PbkfsError) || error.errno !== ERRNO.ENOENT) throw this.#named(error);
    }
  }

  /** With the path that people know. */
  #named(error: unknown): unknown {
    if (!(error instanceof PbkfsError)) return error;
    const { code, message, errno, todo } = error;
    const what = message.replaceAll(`/proc/self/fd/${this.#directory}/`, `${this.#dirPath}/`);
    return new PbkfsError(code, { what, errno, todo, cause: error.cause });
  }
}

/** As the C library's errors are: with an errno. */
function unreadable(path: string, cause: unknown): PbkfsError {
  const denied = cause instanceof Deno.errors.PermissionDenied ||
    (cause instanceof PbkfsError && cause.errno === ERRNO.EACCES);
  return new PbkfsError("Io", {
    what: `Cannot use the lock file "${path}": ${(cause as Error).message}`,
    errno: denied ? ERRNO.EACCES : ERRNO.EIO,
    cause,
  });
}
