/**
 * The few functions of the C library that Deno does not offer in the form we need: positioned
 * reads and writes at an address, `fallocate`, `fdatasync`, `flock` and the like.
 *
 * The functions stand in a table, {@link Libc}, that callers take as a parameter: a test passes a
 * table in which one call fails.
 *
 * @module
 */

import { ERRNO, errnoName, PbkfsError } from "../errors.ts";
import { bytesOf, type ByteString, byteString, printable } from "./bytes.ts";
import { openLibrary } from "./library.ts";
import { type Layout, readField, writeField } from "./layout.ts";
import { type Address, allocate, borrow, type NativeBuffer, toAddress } from "./memory.ts";

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

/** `struct open_how`. Source: linux/openat2.h. */
export const OPEN_HOW = {
  flags: { kind: "u64", at: 0 },
  mode: { kind: "u64", at: 8 },
  resolve: { kind: "u64", at: 16 },
} as const satisfies Layout;
const OPEN_HOW_SIZE_BYTES = 24;

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

/** `struct statx`, the same on all processors. Source: linux/stat.h. */
export const STATX = {
  links: { kind: "u32", at: 16 },
  uid: { kind: "u32", at: 20 },
  gid: { kind: "u32", at: 24 },
  mode: { kind: "u16", at: 28 },
  inode: { kind: "u64", at: 32 },
  size: { kind: "u64", at: 40 },
  blocks: { kind: "u64", at: 48 },
  mtimeSeconds: { kind: "i64", at: 112 },
  mtimeNanoseconds: { kind: "u32", at: 120 },
  deviceMajor: { kind: "u32", at: 136 },
  deviceMinor: { kind: "u32", at: 140 },
} as const satisfies Layout;

/** `struct statvfs`, where `long` has 64 bits. Source: bits/statvfs.h. */
export const STATVFS = {
  fragmentBytes: { kind: "u64", at: 8 },
  blocks: { kind: "u64", at: 16 },
  available: { kind: "u64", at: 32 },
  files: { kind: "u64", at: 40 },
  filesAvailable: { kind: "u64", at: 56 },
} as const satisfies Layout;

/** `struct pollfd`. Source: poll.h. */
export const POLLFD = {
  fd: { kind: "i32", at: 0 },
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

/** Calls into the C library. Each throws a {@link PbkfsError} with the errno when it fails. */
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

/** The longest read or write at a time: what it returns then fits an `i32`, see {@link SYMBOLS}. */
const TRANSFER_SIZE_BYTES_MAX = 1 << 30;

/**
 * A result of type `ssize_t` is taken as an `i32`, the lower half of its register: Deno gives 64-bit
 * results as `BigInt`, which is garbage for every read and write.
 */
const SYMBOLS = {
  // int open(const char *path, int flags, mode_t mode)
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int openat(int dirfd, const char *path, int flags, mode_t mode)
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  // long syscall(long number, ...): for openat2(int dirfd, const char *path,
  // struct open_how *how, size_t size), which the C library has no function for
  syscall: { parameters: ["i64", "i32", "buffer", "usize", "usize"], result: "i32" },
  // ssize_t readlinkat(int dirfd, const char *path, char *target, size_t size)
  readlinkat: { parameters: ["i32", "buffer", "usize", "usize"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32" },
  // int fcntl(int fd, int command, int argument)
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int dup2(int fd, int target)
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  // int pipe2(int fds[2], int flags)
  pipe2: { parameters: ["usize", "i32"], result: "i32" },
  // ssize_t read(int fd, void *target, size_t size)
  read: { parameters: ["i32", "usize", "usize"], result: "i32" },
  // ssize_t write(int fd, const void *source, size_t size)
  write: { parameters: ["i32", "usize", "usize"], result: "i32" },
  // ssize_t pread(int fd, void *target, size_t size, off_t offset)
  pread: { parameters: ["i32", "usize", "usize", "i64"], result: "i32" },
  // ssize_t preadv2(int fd, const struct iovec *targets, int count, off_t offset, int flags)
  preadv2: { parameters: ["i32", "usize", "i32", "i64", "i32"], result: "i32" },
  // ssize_t pwrite(int fd, const void *source, size_t size, off_t offset)
  pwrite: { parameters: ["i32", "usize", "usize", "i64"], result: "i32" },
  // off_t lseek(int fd, off_t offset, int whence)
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  // int ftruncate(int fd, off_t size)
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  // int fallocate(int fd, int mode, off_t offset, off_t size)
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  // int fdatasync(int fd)
  fdatasync: { parameters: ["i32"], result: "i32" },
  // int fsync(int fd)
  fsync: { parameters: ["i32"], result: "i32" },
  // int syncfs(int fd)
  syncfs: { parameters: ["i32"], result: "i32" },
  // int fstatfs(int fd, struct statfs *target)
  fstatfs: { parameters: ["i32", "usize"], result: "i32" },
  // int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
  sync_file_range: { parameters: ["i32", "i64", "i64", "u32"], result: "i32" },
  // int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *target)
  statx: { parameters: ["i32", "buffer", "i32", "u32", "usize"], result: "i32" },
  // int fchmod(int fd, mode_t mode)
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  // int fchown(int fd, uid_t uid, gid_t gid)
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  // int flock(int fd, int operation)
  flock: { parameters: ["i32", "i32"], result: "i32" },
  // int fstatvfs(int fd, struct statvfs *target)
  fstatvfs: { parameters: ["i32", "usize"], result: "i32" },
  // int poll(struct pollfd *fds, nfds_t count, int timeout)
  poll: { parameters: ["usize", "u64", "i32"], result: "i32" },
  // int umount2(const char *target, int flags)
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  // int getrlimit(int resource, struct rlimit *target)
  getrlimit: { parameters: ["i32", "usize"], result: "i32" },
  // int clock_gettime(clockid_t clock, struct timespec *target)
  clock_gettime: { parameters: ["i32", "usize"], result: "i32" },
  // int unlink(const char *path)
  unlink: { parameters: ["buffer"], result: "i32" },
  // int rename(const char *from, const char *to)
  rename: { parameters: ["buffer", "buffer"], result: "i32" },
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const RWF_NOWAIT = 8;
const CLOCK_REALTIME_COARSE = 5;
/** `struct timespec`. Source: time.h. */
export const TIMESPEC = {
  seconds: { kind: "i64", at: 0 },
  nanoseconds: { kind: "i64", at: 8 },
} as const satisfies Layout;
const SEEK = { data: 3, hole: 4 } as const;
/** `struct rlimit`. Source: sys/resource.h. */
const RLIMIT = {
  now: { kind: "u64", at: 0 },
} as const satisfies Layout;

/** The same on all processors. Source: asm-generic/unistd.h. */
export const SYS_OPENAT2 = 437;
/** Of getdents64(2). Source: asm/unistd_64.h, asm-generic/unistd.h. */
const SYS_GETDENTS64 = Deno.build.arch === "aarch64" ? 61 : 217;
/** `struct linux_dirent64`. Source: linux/dirent.h. */
const DIRENT = { size: { kind: "u16", at: 16 }, nameAt: 19 } as const;
/** What {@link Libc.names} asks for at a time. */
const NAMES_SIZE_BYTES = 32 * 1024;
/** ext2 to ext4, XFS, btrfs, tmpfs. Source: linux/magic.h. */
const SYNCED_AS_A_WHOLE = [0xef53, 0x58465342, 0x9123683e, 0x01021994];
const SYNC_FILE_RANGE_WAIT_BEFORE = 1;
const AT_SYMLINK_NOFOLLOW = 0x100;
const LINK_BYTES_MAX = 4096;
const STATX_SIZE = 0x200;
const AT_EMPTY_PATH = 0x1000;
const AT_FDCWD = -100;
const AT_STATX_DONT_SYNC = 0x4000;
const RLIMIT_NOFILE = 7;
const STATX_BASIC_STATS = 0x7ff;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const UMOUNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const EINTR = 4;
const EWOULDBLOCK = 11;
const POLL_IN = 1;

const opened = new Map<string, Libc>();

/** The C library of this machine, opened at the first call in each thread. */
export function systemLibc(): Libc {
  const known = opened.get("libc");
  if (known !== undefined) return known;
  const made = makeLibc();
  opened.set("libc", made);
  return made;
}

function makeLibc(): Libc {
  const symbols = openLibrary(["libc.so.6"], SYMBOLS);
  // errno is read from where it lies, and at once: whatever else runs could change it, the making
  // of a message or the compiler of JavaScript among them.
  const errno = new Int32Array(borrow(toAddress(symbols.__errno_location()), 4).buffer);
  let failure = 0;
  const took = (result: number): number => {
    failure = result < 0 ? errno[0] as number : 0;
    return result;
  };
  /** What one call may transfer of what is left. */
  const clipped = (sizeBytes: number): number => Math.min(sizeBytes, TRANSFER_SIZE_BYTES_MAX);
  took(-1); // So that it is compiled before it counts.
  const fail = (call: string, subject: string): never => {
    const number = failure === 0 ? ERRNO.EIO : failure;
    throw new PbkfsError("Io", {
      what: `${call} of ${subject} failed with ${errnoName(number)}`,
      errno: number,
    });
  };
  const check = (result: number, call: string, subject: string | Fd): void => {
    if (result < 0) fail(call, typeof subject === "number" ? `descriptor ${subject}` : subject);
  };
  const status = allocate(256);
  const pollFds = allocate(16);
  const setPollFd = (index: number, fd: Fd): void => {
    pollFds.view.setInt32(index * 8 + POLLFD.fd.at, fd, true);
    pollFds.view.setInt16(index * 8 + 4, POLL_IN, true);
  };
  const one = new IoVectors(1);
  const emptyPath = new Uint8Array(1);
  /** What statx(2) has filled in. */
  const fileStatus = (): FileStatus => ({
    mode: readField(status.view, STATX.mode),
    uid: readField(status.view, STATX.uid),
    gid: readField(status.view, STATX.gid),
    inode: Number(status.view.getBigUint64(STATX.inode.at, true)),
    sizeBytes: readField(status.view, STATX.size),
    blocks512: readField(status.view, STATX.blocks),
    links: readField(status.view, STATX.links),
    modifiedSeconds: readField(status.view, STATX.mtimeSeconds),
    modifiedNanoseconds: readField(status.view, STATX.mtimeNanoseconds),
  });
  const how = allocate(OPEN_HOW_SIZE_BYTES);

  /** One preadv2(2). @returns undefined if the file system cannot do what `flags` ask for. */
  const readvOnce = (
    fd: Fd,
    { address, count }: IoVectors,
    at: { readonly offsetBytes: number; readonly flags: number },
  ): number | undefined => {
    const done = took(symbols.preadv2(fd, address, count, at.offsetBytes, at.flags));
    if (done >= 0) return done;
    if (at.flags !== 0 && failure === ERRNO.EOPNOTSUPP) return undefined;
    return failure === EINTR ? 0 : fail("preadv2", `descriptor ${fd}`);
  };

  return {
    open(path, flags, mode = 0) {
      const fd = took(symbols.open(bytesOf(path, 1), flags | OPEN.closeOnExec, mode));
      check(fd, "open", printable(path));
      return fd as Fd;
    },
    openAt(directory, path, flags) {
      const fd = took(symbols.openat(directory, bytesOf(path, 1), flags | OPEN.closeOnExec, 0));
      check(fd, "openat", printable(path));
      return fd as Fd;
    },
    openResolved(directory, path, flags, resolve) {
      writeField(how.view, OPEN_HOW.flags, flags | OPEN.closeOnExec);
      writeField(how.view, OPEN_HOW.resolve, resolve);
      const { address, sizeBytes } = how;
      const fd = took(
        symbols.syscall(SYS_OPENAT2, directory, bytesOf(path, 1), address, sizeBytes),
      );
      check(fd, "openat2", printable(path));
      return fd as Fd;
    },
    readLink(fd) {
      const target = allocate(LINK_BYTES_MAX);
      const size = took(symbols.readlinkat(fd, emptyPath, target.address, target.sizeBytes));
      check(size, "readlinkat", fd);
      return byteString(target.bytes.subarray(0, size));
    },
    close(fd) {
      check(took(symbols.close(fd)), "close", fd);
    },
    dup(fd) {
      const copy = took(symbols.fcntl(fd, F_DUPFD_CLOEXEC, 0));
      check(copy, "dup", fd);
      return copy as Fd;
    },
    setNonBlocking(fd) {
      const flags = took(symbols.fcntl(fd, F_GETFL, 0));
      check(flags, "fcntl", fd);
      check(took(symbols.fcntl(fd, F_SETFL, flags | OPEN.nonBlocking)), "fcntl", fd);
    },
    replace(fd, target) {
      check(took(symbols.dup2(fd, target)), "dup2", fd);
    },
    pipe() {
      const ends = allocate(8);
      check(took(symbols.pipe2(ends.address, OPEN.closeOnExec)), "pipe", "a new pipe");
      return { read: ends.view.getInt32(0, true) as Fd, write: ends.view.getInt32(4, true) as Fd };
    },
    read(fd, target, sizeBytes) {
      const done = took(symbols.read(fd, target, clipped(sizeBytes)));
      check(done, "read", fd);
      return done;
    },
    write(fd, source, sizeBytes) {
      const done = took(symbols.write(fd, source, sizeBytes));
      if (done !== sizeBytes) fail("write", `descriptor ${fd}`);
    },
    pread(fd, target, { offsetBytes, sizeBytes }) {
      let done = 0;
      while (done < sizeBytes) {
        const n = took(
          symbols.pread(fd, target + done, clipped(sizeBytes - done), offsetBytes + done),
        );
        if (n === 0) break;
        if (n > 0) done += n;
        else if (failure !== EINTR) fail("pread", `descriptor ${fd}`);
      }
      return done;
    },
    preadCached(fd, target, range) {
      let done = 0;
      while (done < range.sizeBytes) {
        one.clear();
        one.add((target + done) as Address, clipped(range.sizeBytes - done));
        const at = range.offsetBytes + done;
        const n = took(symbols.preadv2(fd, one.address, 1, at, RWF_NOWAIT));
        if (n === 0) break;
        if (n > 0) done += n;
        else if (failure === ERRNO.EOPNOTSUPP) return this.pread(fd, target, range);
        else if (failure !== EINTR) fail("preadv2", `descriptor ${fd}`);
      }
      return done;
    },
    preadv(fd, targets, offsetBytes) {
      return readvOnce(fd, targets, { offsetBytes, flags: 0 }) as number;
    },
    preadvCached(fd, targets, offsetBytes) {
      const done = readvOnce(fd, targets, { offsetBytes, flags: RWF_NOWAIT });
      return done ?? this.preadv(fd, targets, offsetBytes);
    },
    pwrite(fd, source, { offsetBytes, sizeBytes }) {
      let done = 0;
      while (done < sizeBytes) {
        const n = took(
          symbols.pwrite(fd, source + done, clipped(sizeBytes - done), offsetBytes + done),
        );
        if (n > 0) done += n;
        else if (n === 0 || failure !== EINTR) fail("pwrite", `descriptor ${fd}`);
      }
    },
    seek(fd, offsetBytes, what) {
      const found = took(Number(symbols.lseek(fd, offsetBytes, SEEK[what])));
      if (found >= 0) return found;
      return failure === ERRNO.ENXIO ? undefined : fail("lseek", `descriptor ${fd}`);
    },
    ftruncate(fd, sizeBytes) {
      check(took(symbols.ftruncate(fd, sizeBytes)), "ftruncate", fd);
    },
    fallocate(fd, mode, { offsetBytes, sizeBytes }) {
      check(took(symbols.fallocate(fd, mode, offsetBytes, sizeBytes)), "fallocate", fd);
    },
    fdatasync(fd) {
      check(took(symbols.fdatasync(fd)), "fdatasync", fd);
    },
    fsync(fd) {
      check(took(symbols.fsync(fd)), "fsync", fd);
    },
    syncFileSystem(fd) {
      check(took(symbols.fstatfs(fd, status.address)), "fstatfs", fd);
      // The type is the first member, a long.
      if (!SYNCED_AS_A_WHOLE.includes(status.view.getUint32(0, true))) return false;
      check(took(symbols.syncfs(fd)), "syncfs", fd);
      return true;
    },
    writeError(fd) {
      const result = symbols.sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
      check(took(result), "sync_file_range", fd);
    },
    fstat(fd) {
      check(
        took(symbols.statx(fd, emptyPath, AT_EMPTY_PATH, STATX_BASIC_STATS, status.address)),
        "statx",
        fd,
      );
      return fileStatus();
    },
    statAt(directory, name) {
      const { address } = status;
      const path = bytesOf(name, 1);
      check(
        took(symbols.statx(directory, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, address)),
        "statx",
        printable(name),
      );
      return fileStatus();
    },
    *names(directory) {
      const { view, bytes } = allocate(NAMES_SIZE_BYTES);
      for (;;) {
        const size = took(
          symbols.syscall(SYS_GETDENTS64, directory, bytes, NAMES_SIZE_BYTES, 0),
        );
        check(size, "getdents64", directory);
        if (size === 0) return;
        for (let at = 0; at < size; at += view.getUint16(at + DIRENT.size.at, true)) {
          const start = at + DIRENT.nameAt;
          const name = byteString(bytes.subarray(start, bytes.indexOf(0, start)));
          if (name !== "." && name !== "..") yield name;
        }
      }
    },
    sizeAt(directory, name) {
      const flags = AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC;
      const done = took(symbols.statx(directory, name, flags, STATX_SIZE, status.address));
      if (done < 0 && failure === ERRNO.ENOENT) return undefined;
      if (done < 0) fail("statx", printable(byteString(name.subarray(0, -1))));
      const { view } = status;
      return view.getUint32(STATX.size.at + 4, true) * 2 ** 32 +
        view.getUint32(STATX.size.at, true);
    },
    deviceOf(path) {
      check(
        took(
          symbols.statx(AT_FDCWD, bytesOf(path, 1), AT_STATX_DONT_SYNC, 0, status.address),
        ),
        "statx",
        printable(path),
      );
      const { deviceMajor, deviceMinor } = STATX;
      return `${readField(status.view, deviceMajor)}:${readField(status.view, deviceMinor)}`;
    },
    fchmod(fd, mode) {
      check(took(symbols.fchmod(fd, mode)), "fchmod", fd);
    },
    fchown(fd, { uid, gid }) {
      check(took(symbols.fchown(fd, uid, gid)), "fchown", fd);
    },
    flock(fd, operation) {
      if (took(symbols.flock(fd, operation)) === 0) return true;
      return failure === EWOULDBLOCK ? false : fail("flock", `descriptor ${fd}`);
    },
    fstatvfs(fd, target) {
      check(took(symbols.fstatvfs(fd, target)), "fstatvfs", fd);
    },
    waitReadable(fd, timeoutMs) {
      setPollFd(0, fd);
      const ready = took(symbols.poll(pollFds.address, 1, timeoutMs));
      if (ready >= 0) return ready > 0;
      return failure === EINTR ? false : fail("poll", `descriptor ${fd}`);
    },
    waitOrWake(fd, wakeFd, timeoutMs) {
      setPollFd(0, fd);
      setPollFd(1, wakeFd);
      const ready = took(symbols.poll(pollFds.address, 2, timeoutMs));
      if (ready < 0) return failure === EINTR ? false : fail("poll", `descriptor ${fd}`);
      return ready > 0 && (pollFds.view.getInt16(14, true) & POLL_IN) !== 0;
    },
    unmount(path, options = { lazy: false }) {
      const flags = UMOUNT_NOFOLLOW | (options.lazy ? UMOUNT_DETACH : 0);
      check(took(symbols.umount2(bytesOf(path, 1), flags)), "umount", printable(path));
    },
    unlink(path) {
      check(took(symbols.unlink(bytesOf(path, 1))), "unlink", printable(path));
    },
    rename(from, to) {
      check(took(symbols.rename(bytesOf(from, 1), bytesOf(to, 1))), "rename", printable(from));
    },
    clock() {
      check(took(symbols.clock_gettime(CLOCK_REALTIME_COARSE, status.address)), "clock", "files");
      const { view } = status;
      return {
        seconds: readField(view, TIMESPEC.seconds),
        nanoseconds: readField(view, TIMESPEC.nanoseconds),
      };
    },
    descriptorsMax() {
      check(took(symbols.getrlimit(RLIMIT_NOFILE, status.address)), "getrlimit", "RLIMIT_NOFILE");
      return Number(status.view.getBigUint64(RLIMIT.now.at, true));
    },
  };
}
