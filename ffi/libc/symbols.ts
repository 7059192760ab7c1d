/**
 * The functions of the C library that are called, each with its declaration.
 *
 * @module
 */

/**
 * A result of type `ssize_t` is taken as an `i32`, the lower half of its register: Deno gives 64-bit
 * results as `BigInt`, which is garbage for every read and write.
 */
export const SYMBOLS = {
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
