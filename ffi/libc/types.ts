/**
 * The C library as a table of calls, and what they take and give.
 *
 * @module
 */

import type { ByteString } from "../bytes.ts";
import { type Layout, writeField } from "../layout.ts";
import { type Address, allocate, type NativeBuffer } from "../memory.ts";

/** A file descriptor. */
export type Fd = number & { readonly fd: unique symbol };

/** Flags of open(2). Those from O_DIRECTORY on differ between processors. */
export const OPEN = {
  readOnly: 0,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  noTerminal: 0o400,
  truncate: 0o1000,
  append: 0o2000,
  nonBlocking: 0o4000,
  noFollow: Deno.build.arch === "aarch64" ? 0o100000 : 0o400000,
  directory: Deno.build.arch === "aarch64" ? 0o40000 : 0o200000,
  closeOnExec: 0o2000000,
  /** Not to be read or written: only to be asked about, and gone on from. */
  pathOnly: 0o10000000,
} as const;

/** How openat2(2) finds a file. Source: linux/openat2.h. */
export const RESOLVE = { noMagicLinks: 2, noSymlinks: 4, beneath: 8 } as const;

/** Modes of fallocate(2). Source: linux/falloc.h. */
export const FALLOCATE = { keepSize: 1, punchHole: 2, collapse: 8, zeroRange: 16 } as const;

/** Operations of flock(2). */
export const FLOCK = { shared: 1, exclusive: 2, nonBlocking: 4, unlock: 8 } as const;

/** Part of a file, in bytes. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** What statx(2) tells of a file. */
export interface FileStatus {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: number;
  readonly sizeBytes: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks512: number;
  readonly links: number;
  readonly modifiedSeconds: number;
  readonly modifiedNanoseconds: number;
}

/** `struct statvfs`, where `long` has 64 bits. Source: bits/statvfs.h. */
export const STATVFS = {
  fragmentBytes: { kind: "u64", at: 8 },
  blocks: { kind: "u64", at: 16 },
  available: { kind: "u64", at: 32 },
  files: { kind: "u64", at: 40 },
  filesAvailable: { kind: "u64", at: 56 },
} as const satisfies Layout;

/** `struct iovec`. Source: sys/uio.h. */
export const IOVEC = {
  base: { kind: "u64", at: 0 },
  size: { kind: "u64", at: 8 },
} as const satisfies Layout;
const IOVEC_SIZE_BYTES = 16;

/** An array of `struct iovec`: places in memory that are filled one after another. */
export class IoVectors {
  readonly #memory: NativeBuffer;
  readonly #countMax: number;
  count = 0;
  sizeBytes = 0;

  /** @param countMax At most 1024, the limit of Linux. */
  constructor(countMax: number) {
    this.#countMax = countMax;
    this.#memory = allocate(countMax * IOVEC_SIZE_BYTES);
  }

  get address(): Address {
    return this.#memory.address;
  }

  get isFull(): boolean {
    return this.count === this.#countMax;
  }

  clear(): void {
    this.count = 0;
    this.sizeBytes = 0;
  }

  /** @throws {RangeError} if it is full. */
  add(base: Address, sizeBytes: number): void {
    const { view } = this.#memory;
    const at = this.count++ * IOVEC_SIZE_BYTES;
    writeField(view, { kind: "u64", at: at + IOVEC.base.at }, base);
    writeField(view, { kind: "u64", at: at + IOVEC.size.at }, sizeBytes);
    this.sizeBytes += sizeBytes;
  }
}

/** Calls into the C library. Each throws a `PbkfsError` with the errno when it fails. */
export interface Libc {
  open(path: ByteString, flags: number, mode?: number): Fd;
  /** openat(2), which makes no file. */
  openAt(directory: Fd, path: ByteString, flags: number): Fd;
  /** openat2(2), which not every kernel has; `resolve` is made of {@link RESOLVE}. */
  openResolved(directory: Fd, path: ByteString, flags: number, resolve: number): Fd;
  /** Where a symbolic link leads that was opened itself, with `pathOnly` and `noFollow`. */
  readLink(fd: Fd): ByteString;
  close(fd: Fd): void;
  dup(fd: Fd): Fd;
  /** Calls on the file behind `fd` fail with EAGAIN where they would wait. */
  setNonBlocking(fd: Fd): void;
  /** Makes descriptor `target`, such as 2 for stderr, stand for the same file as `fd`. */
  replace(fd: Fd, target: number): void;
  /** A pipe: what is written to `write` can be read from `read`. */
  pipe(): { readonly read: Fd; readonly write: Fd };
  /** One read(2) from where the descriptor stands. @returns Bytes read. */
  read(fd: Fd, target: Address, sizeBytes: number): number;
  /** One write(2) of all bytes, as a device wants it. */
  write(fd: Fd, source: Address, sizeBytes: number): void;
  /** @returns Bytes read; fewer than asked for at the end of the file only. */
  pread(fd: Fd, target: Address, range: ByteRange): number;
  /**
   * As {@link Libc.pread}, but only from memory: EAGAIN if the disk would have to be asked. On file
   * systems that cannot tell, it may wait.
   */
  preadCached(fd: Fd, target: Address, range: ByteRange): number;
  /**
   * One preadv2(2): bytes that lie together in a file go to several places.
   *
   * @returns Bytes read; fewer than wanted at the end of the file, or for reasons of the kernel's.
   */
  preadv(fd: Fd, targets: IoVectors, offsetBytes: number): number;
  /** As {@link Libc.preadv}, but only from memory, see {@link Libc.preadCached}. */
  preadvCached(fd: Fd, targets: IoVectors, offsetBytes: number): number;
  /** Writes all bytes of the range, from `source` on. */
  pwrite(fd: Fd, source: Address, range: ByteRange): void;
  /**
   * Where data, or a hole, begins, from a place on; lseek(2). The end of a file is a hole.
   *
   * @returns undefined if there is none, or the place is not before the end.
   */
  seek(fd: Fd, offsetBytes: number, what: "data" | "hole"): number | undefined;
  ftruncate(fd: Fd, sizeBytes: number): void;
  fallocate(fd: Fd, mode: number, range: ByteRange): void;
  fdatasync(fd: Fd): void;
  fsync(fd: Fd): void;
  /**
   * Brings a whole file system to disk, syncfs(2). Whether that went well for one file of it,
   * {@link Libc.writeError} tells.
   *
   * @returns false if it is one of which we do not know that this does what fsync(2) does.
   */
  syncFileSystem(fd: Fd): boolean;
  /**
   * Waits for what is on its way to the disk, and fails if bytes of the file could not be written
   * since somebody was told last; as fsync(2) does, but nothing is sent to the disk.
   *
   * @see sync_file_range(2), file_fdatawait_range() of Linux
   */
  writeError(fd: Fd): void;
  fstat(fd: Fd): FileStatus;
  /** As {@link Libc.fstat}, by name; links are not followed. */
  statAt(directory: Fd, name: ByteString): FileStatus;
  /** The names in an open directory, from where it stands on; `.` and `..` are left out. */
  names(directory: Fd): Generator<ByteString>;
  /**
   * Length of a file in a directory, not following a link; undefined if there is none. It is called
   * for hundreds of thousands of files.
   *
   * @param name With a zero at its end.
   */
  sizeAt(directory: Fd, name: Uint8Array<ArrayBuffer>): number | undefined;
  /**
   * The device that a file is on, as the kernel's list of mounts writes it, such as `0:45`. No file
   * system is asked for it, so it can be called for files of one that does not answer.
   *
   * @param path Of a magic link such as `/proc/812/cwd`: other paths are looked up, and may wait.
   */
  deviceOf(path: ByteString): string;
  fchmod(fd: Fd, mode: number): void;
  fchown(fd: Fd, owner: { readonly uid: number; readonly gid: number }): void;
  /** @returns Whether the lock was granted; false only with `nonBlocking`. */
  flock(fd: Fd, operation: number): boolean;
  /** Fills a `struct statvfs`, of at least 112 bytes, for the file system of `fd`. */
  fstatvfs(fd: Fd, target: Address): void;
  /** Waits until `fd` can be read. @returns false after `timeoutMs`; -1 is for ever. */
  waitReadable(fd: Fd, timeoutMs: number): boolean;
  /** Waits until `fd` or `wakeFd` can be read, or `timeoutMs` are over. @returns Whether `wakeFd` can. */
  waitOrWake(fd: Fd, wakeFd: Fd, timeoutMs: number): boolean;
  /** Detaches a mount, as root. `lazy` hides it now and lets go when nobody uses it. */
  unmount(path: ByteString, options?: { readonly lazy: boolean }): void;
  unlink(path: ByteString): void;
  rename(from: ByteString, to: ByteString): void;
  /**
   * The clock that file systems stamp their files with: the system's, as of the last tick of the
   * kernel, a few milliseconds ago at most.
   */
  clock(): { readonly seconds: number; readonly nanoseconds: number };
  /** How many descriptors this process may have. */
  descriptorsMax(): number;
}
