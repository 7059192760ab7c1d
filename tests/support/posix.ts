/**
 * System calls that Deno has no function for, or that need paths of any bytes.
 *
 * @module
 */

import { ERRNO } from "../../errors.ts";
import { bytesOf, type ByteString, byteString, printable } from "../../ffi/bytes.ts";
import { openLibrary } from "../../ffi/library.ts";
import { type Address, borrow, toAddress } from "../../ffi/memory.ts";

/** A call that failed. */
export class PosixError extends Error {
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call}: ${errnoText(errno)}`);
    this.errno = errno;
  }
}

/** What statx(2) tells. */
export interface Status {
  readonly type: "file" | "directory" | "symlink" | "fifo" | "socket" | "character" | "block";
  /** Without the type. */
  readonly mode: number;
  readonly ino: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks512: number;
  /** Nanoseconds since 1970. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
  /** undefined if the file system does not tell. */
  readonly born: bigint | undefined;
}

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  statvfs: { parameters: ["buffer", "buffer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  unlink: { parameters: ["buffer"], result: "i32" },
  rmdir: { parameters: ["buffer"], result: "i32" },
  mkdir: { parameters: ["buffer", "u32"], result: "i32" },
  link: { parameters: ["buffer", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  symlink: { parameters: ["buffer", "buffer"], result: "i32" },
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  mknod: { parameters: ["buffer", "u32", "u64"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  lsetxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  lgetxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  llistxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  lremovexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  copy_file_range: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
  },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "isize" },
  msync: { parameters: ["usize", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = openLibrary(["libc.so.6"], SYMBOLS);
const errnoCell = new Int32Array(borrow(toAddress(libc.__errno_location()), 4).buffer);

const POSIX_FADV_DONTNEED = 4;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const TYPES: Readonly<Record<number, Status["type"]>> = {
  0o140000: "socket",
  0o120000: "symlink",
  0o100000: "file",
  0o060000: "block",
  0o040000: "directory",
  0o020000: "character",
  0o010000: "fifo",
};

/** Throws if `result` says that the call failed. */
function check(call: string, result: number | bigint): number {
  if (result >= 0) return Number(result);
  throw new PosixError(call, errnoCell[0] ?? 0);
}

function errnoText(errno: number): string {
  return Object.entries(ERRNO).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}

function cString(path: ByteString): Uint8Array<ArrayBuffer> {
  return bytesOf(path, 1);
}

/** Memory of a file, mapped. */
export interface Mapping {
  readonly bytes: Uint8Array<ArrayBuffer>;
  sync(): void;
  unmap(): void;
}

/** Opens a file. Flags of open(2). */
export function open(path: ByteString, flags: number, mode = 0o644): number {
  return check(`open ${printable(path)}`, libc.open(cString(path), flags, mode));
}

export function close(fd: number): void {
  check("close", libc.close(fd));
}

/** Opens, runs `body`, and closes whatever happens. */
export function withFile<T>(path: ByteString, flags: number, body: (fd: number) => T): T {
  const fd = open(path, flags);
  try {
    return body(fd);
  } finally {
    close(fd);
  }
}

export function pread(fd: number, sizeBytes: number, at: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  return bytes.subarray(0, check("pread", libc.pread(fd, bytes, sizeBytes, at)));
}

/** A place or a size in a file; as a `bigint` it may be one that no number holds exactly. */
export type FilePlace = number | bigint;

export function pwrite(fd: number, bytes: Uint8Array<ArrayBuffer>, at: FilePlace): number {
  return check("pwrite", libc.pwrite(fd, bytes, bytes.length, at as number));
}

/** Writes where the descriptor stands. */
export function write(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  return check("write", libc.write(fd, bytes, bytes.length));
}

export function seek(fd: number, offset: number, whence: number): number {
  return check("lseek", libc.lseek(fd, offset, whence));
}

export function ftruncate(fd: number, sizeBytes: FilePlace): void {
  check("ftruncate", libc.ftruncate(fd, sizeBytes as number));
}

export function fallocate(
  fd: number,
  mode: number,
  offset: FilePlace,
  sizeBytes: FilePlace,
): void {
  check("fallocate", libc.fallocate(fd, mode, offset as number, sizeBytes as number));
}

export function fsync(fd: number): void {
  check("fsync", libc.fsync(fd));
}

export function fdatasync(fd: number): void {
  check("fdatasync", libc.fdatasync(fd));
}

/** Has the kernel forget what it has of a file in memory, if that is on disk. */
export function dropCached(fd: number): void {
  const errno = libc.posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  if (errno !== 0) throw new PosixError("posix_fadvise", errno);
}

export function fchmod(fd: number, mode: number): void {
  check("fchmod", libc.fchmod(fd, mode));
}

/** Status of what a path names; links are not followed. */
export function lstat(path: ByteString): Status {
  return statx(AT_FDCWD, cString(path), AT_SYMLINK_NOFOLLOW, `lstat ${printable(path)}`);
}

/** Status of an open file. */
export function fstat(fd: number): Status {
  return statx(fd, new Uint8Array(1), 0x1000, "fstat");
}

function statx(fd: number, path: Uint8Array<ArrayBuffer>, flags: number, call: string): Status {
  const target = new Uint8Array(256);
  check(call, libc.statx(fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, target));
  const view = new DataView(target.buffer);
  const time = (at: number) =>
    view.getBigInt64(at, true) * 1_000_000_000n + BigInt(view.getUint32(at + 8, true));
  const mode = view.getUint16(28, true);
  return {
    type: TYPES[mode & 0o170000] ?? "file",
    mode: mode & 0o7777,
    ino: Number(view.getBigUint64(32, true)),
    links: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    sizeBytes: Number(view.getBigUint64(40, true)),
    blocks512: Number(view.getBigUint64(48, true)),
    accessed: time(64),
    changed: time(96),
    modified: time(112),
    born: (view.getUint32(0, true) & STATX_BTIME) !== 0 ? time(80) : undefined,
  };
}

/** Blocks of the file system, and of how many bytes each. */
export function statvfs(path: ByteString): { blocks: number; free: number; nameMax: number } {
  const target = new Uint8Array(256);
  check("statvfs", libc.statvfs(cString(path), target));
  const view = new DataView(target.buffer);
  const value = (at: number) => Number(view.getBigUint64(at, true));
  return { blocks: value(16), free: value(24), nameMax: value(80) };
}

/** Target of a symbolic link. */
export function readLink(path: ByteString): ByteString {
  const target = new Uint8Array(4096);
  return byteString(
    target.subarray(0, check("readlink", libc.readlink(cString(path), target, target.length))),
  );
}

export function unlink(path: ByteString): void {
  check(`unlink ${printable(path)}`, libc.unlink(cString(path)));
}

export function rmdir(path: ByteString): void {
  check(`rmdir ${printable(path)}`, libc.rmdir(cString(path)));
}

export function mkdir(path: ByteString, mode = 0o755): void {
  check(`mkdir ${printable(path)}`, libc.mkdir(cString(path), mode));
}

export function link(from: ByteString, to: ByteString): void {
  check(`link ${printable(to)}`, libc.link(cString(from), cString(to)));
}

/** Gives an open file, such as one without a name, a name. */
export function linkOpenFile(fd: number, to: ByteString): void {
  const AT_SYMLINK_FOLLOW = 0x400;
  const from = cString(`/proc/self/fd/${fd}` as ByteString);
  const result = libc.linkat(AT_FDCWD, from, AT_FDCWD, cString(to), AT_SYMLINK_FOLLOW);
  check(`linkat ${printable(to)}`, result);
}

export function symlink(target: ByteString, path: ByteString): void {
  check(`symlink ${printable(path)}`, libc.symlink(cString(target), cString(path)));
}

/** @param flags 1: do not replace; 2: exchange. */
export function rename(from: ByteString, to: ByteString, flags = 0): void {
  const result = libc.renameat2(AT_FDCWD, cString(from), AT_FDCWD, cString(to), flags);
  check(`rename ${printable(from)} ${printable(to)}`, result);
}

/** @param mode Type and permission bits. */
export function mknod(path: ByteString, mode: number, device = 0): void {
  check(`mknod ${printable(path)}`, libc.mknod(cString(path), mode, device));
}

/** Sets times, in nanoseconds since 1970. */
export function utimens(path: ByteString, accessed: bigint, modified: bigint): void {
  const times = new DataView(new ArrayBuffer(32));
  [accessed, modified].forEach((time, index) => {
    const nanoseconds = BigInt.asUintN(64, time % 1_000_000_000n + 1_000_000_000n) % 1_000_000_000n;
    times.setBigInt64(index * 16, (time - nanoseconds) / 1_000_000_000n, true);
    times.setBigInt64(index * 16 + 8, nanoseconds, true);
  });
  const buffer = new Uint8Array(times.buffer);
  check("utimensat", libc.utimensat(AT_FDCWD, cString(path), buffer, AT_SYMLINK_NOFOLLOW));
}

/** @param flags 1: it must be new; 2: it must exist. */
export function setAttribute(
  path: ByteString,
  name: string,
  value: Uint8Array<ArrayBuffer>,
  flags = 0,
): void {
  const key = cString(name as ByteString);
  check("setxattr", libc.lsetxattr(cString(path), key, value, value.length, flags));
}

export function getAttribute(path: ByteString, name: string): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(1 << 16);
  const key = cString(name as ByteString);
  const size = check("getxattr", libc.lgetxattr(cString(path), key, value, value.length));
  return value.slice(0, size);
}

/** Names of attributes in `user.`. */
export function listAttributes(path: ByteString): string[] {
  const names = new Uint8Array(1 << 16);
  const size = check("listxattr", libc.llistxattr(cString(path), names, names.length));
  return byteString(names.subarray(0, size)).split("\0").filter((n) => n.startsWith("user."))
    .sort();
}

export function removeAttribute(path: ByteString, name: string): void {
  check("removexattr", libc.lremovexattr(cString(path), cString(name as ByteString)));
}

/** Copies from where both descriptors stand. @returns Bytes copied. */
export function copyFileRange(from: number, to: number, sizeBytes: number): number {
  return check("copy_file_range", libc.copy_file_range(from, null, to, null, sizeBytes, 0));
}

/** Maps a file from its start, to read and write. */
export function map(fd: number, sizeBytes: number, isShared: boolean): Mapping {
  const result = check("mmap", libc.mmap(0, sizeBytes, 3, isShared ? 1 : 2, fd, 0));
  const at = result as Address;
  return {
    bytes: borrow(at, sizeBytes),
    sync: () => void check("msync", libc.msync(at, sizeBytes, 4)),
    unmap: () => void check("munmap", libc.munmap(at, sizeBytes)),
  };
}

/** flock(2), without waiting. @returns Whether it was granted. */
export function flock(fd: number, operation: "shared" | "exclusive" | "unlock"): boolean {
  const bits = { shared: 1, exclusive: 2, unlock: 8 }[operation] | 4;
  return granted("flock", libc.flock(fd, bits));
}

/** A lock of a range, of the open file rather than the process, without waiting. */
export function lockRange(
  fd: number,
  type: "read" | "write" | "unlock",
  start: number,
  sizeBytes: number,
): boolean {
  const F_OFD_SETLK = 37;
  const request = new DataView(new ArrayBuffer(32));
  request.setInt16(0, { read: 0, write: 1, unlock: 2 }[type], true);
  request.setBigInt64(8, BigInt(start), true);
  request.setBigInt64(16, BigInt(sizeBytes), true);
  return granted("fcntl", libc.fcntl(fd, F_OFD_SETLK, new Uint8Array(request.buffer)));
}

function granted(call: string, result: number): boolean {
  if (result >= 0) return true;
  const errno = errnoCell[0] ?? 0;
  if (errno === ERRNO.EAGAIN || errno === ERRNO.EACCES) return false;
  throw new PosixError(call, errno);
}
