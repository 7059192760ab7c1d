/**
 * The two lock files in a backup's directory: `backup.pid`, for one process, and `backup_ro.pid`,
 * for many.
 *
 * Root writes here into a directory that belongs to somebody else, who may have put links there:
 * files are made anew, never through a name that exists, and given away by descriptor.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Fd, type Libc, OPEN } from "../ffi/libc.ts";
import { addressOf } from "../ffi/memory.ts";
import { isAlive } from "./process.ts";

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

/** The lock files of one backup. */
export class LockFiles {
  readonly #exclusive: string;
  readonly #shared: string;
  readonly #libc: Libc;
  readonly #owner: { readonly uid: number; readonly gid: number };

  constructor(dirPath: string, libc: Libc) {
    this.#exclusive = `${dirPath}/backup.pid`;
    this.#shared = `${dirPath}/backup_ro.pid`;
    this.#libc = libc;
    const { uid, gid } = Deno.statSync(dirPath);
    this.#owner = { uid: uid ?? 0, gid: gid ?? 0 };
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
    let text: string;
    let inode: number | null;
    try {
      const file = Deno.openSync(this.#exclusive);
      try {
        inode = file.statSync().ino;
        text = readAll(file);
      } finally {
        file.close();
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw unreadable(this.#exclusive, error);
    }
    if (text === "") return { kind: "empty", inode };
    const pid = parseInt(text);
    return pid > 0 ? { kind: "pid", pid, inode } : { kind: "bogus", inode };
  }

  /** Removes a `backup.pid` that a dead process left, unless another one has been made since. */
  removeStale({ inode }: Contents): void {
    try {
      if (Deno.lstatSync(this.#exclusive).ino === inode) Deno.removeSync(this.#exclusive);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw unreadable(this.#exclusive, error);
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
    let text: string;
    try {
      text = Deno.readTextFileSync(this.#shared);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw unreadable(this.#shared, error);
    }
    const pids = text.split("\n").map((line) => parseInt(line)).filter((pid) => pid > 0);
    return [...new Set(pids)].filter(isAlive);
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
      if (!(error instanceof PbkfsError) || error.errno !== ERRNO.ENOENT) throw error;
    }
  }
}

function readAll(file: Deno.FsFile): string {
  const bytes = new Uint8Array(64);
  return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
}

/** As the C library's errors are: with an errno. */
function unreadable(path: string, cause: unknown): PbkfsError {
  const denied = cause instanceof Deno.errors.PermissionDenied;
  return new PbkfsError("Io", {
    what: `Cannot use the lock file "${path}": ${(cause as Error).message}`,
    errno: denied ? ERRNO.EACCES : ERRNO.EIO,
    cause,
  });
}
