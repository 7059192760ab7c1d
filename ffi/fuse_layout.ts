/**
 * The structs of libfuse's low-level API and of stat(2): where the members that we use lie.
 *
 * @module
 */

import type { Layout } from "./layout.ts";

const IS_ARM = Deno.build.arch === "aarch64";

/** `struct stat`. Source: bits/struct_stat.h. It differs between processors. */
export const STAT = {
  ino: { kind: "u64", at: 8 },
  nlink: IS_ARM ? { kind: "u32", at: 20 } : { kind: "u64", at: 16 },
  mode: { kind: "u32", at: IS_ARM ? 16 : 24 },
  uid: { kind: "u32", at: IS_ARM ? 24 : 28 },
  gid: { kind: "u32", at: IS_ARM ? 28 : 32 },
  rdev: { kind: "u64", at: IS_ARM ? 32 : 40 },
  size: { kind: "i64", at: 48 },
  blksize: IS_ARM ? { kind: "i32", at: 56 } : { kind: "i64", at: 56 },
  blocks: { kind: "i64", at: 64 },
  atimeSeconds: { kind: "i64", at: 72 },
  atimeNanoseconds: { kind: "i64", at: 80 },
  mtimeSeconds: { kind: "i64", at: 88 },
  mtimeNanoseconds: { kind: "i64", at: 96 },
  ctimeSeconds: { kind: "i64", at: 104 },
  ctimeNanoseconds: { kind: "i64", at: 112 },
} as const satisfies Layout;

/** `sizeof(struct stat)`. */
export const STAT_SIZE_BYTES = IS_ARM ? 128 : 144;

/** `struct fuse_entry_param`, fuse_lowlevel.h. `attr` is a `struct stat`. */
export const FUSE_ENTRY_PARAM = {
  ino: { kind: "u64", at: 0 },
  generation: { kind: "u64", at: 8 },
  attrTimeout: { kind: "f64", at: 16 + STAT_SIZE_BYTES },
  entryTimeout: { kind: "f64", at: 24 + STAT_SIZE_BYTES },
} as const satisfies Layout;

/** Where `attr` begins in `struct fuse_entry_param`. */
export const FUSE_ENTRY_PARAM_ATTR_AT = 16;
/** `sizeof(struct fuse_entry_param)`. */
export const FUSE_ENTRY_PARAM_SIZE_BYTES = 32 + STAT_SIZE_BYTES;

/** `struct fuse_file_info`, fuse_common.h. `bits` are the bit fields after `flags`. */
export const FUSE_FILE_INFO = {
  flags: { kind: "i32", at: 0 },
  bits: { kind: "u32", at: 4 },
  fh: { kind: "u64", at: 16 },
} as const satisfies Layout;

/** Room for `struct fuse_file_info`; newer versions of libfuse have more members. */
export const FUSE_FILE_INFO_SIZE_BYTES = 64;
/** `keep_cache` among the bit fields of `struct fuse_file_info`. */
export const FILE_INFO_KEEP_CACHE = 1 << 2;
/** `cache_readdir` among the bit fields of `struct fuse_file_info`. */
export const FILE_INFO_CACHE_READDIR = 1 << 6;

/** `struct fuse_conn_info`, fuse_common.h. */
export const FUSE_CONN_INFO = {
  protoMajor: { kind: "u32", at: 0 },
  protoMinor: { kind: "u32", at: 4 },
  maxWrite: { kind: "u32", at: 8 },
  maxRead: { kind: "u32", at: 12 },
  maxReadahead: { kind: "u32", at: 16 },
  capable: { kind: "u32", at: 20 },
  want: { kind: "u32", at: 24 },
  maxBackground: { kind: "u32", at: 28 },
  congestionThreshold: { kind: "u32", at: 32 },
  timeGran: { kind: "u32", at: 36 },
} as const satisfies Layout;

/** `struct fuse_ctx`, fuse_lowlevel.h. */
export const FUSE_CTX = {
  uid: { kind: "u32", at: 0 },
  gid: { kind: "u32", at: 4 },
  pid: { kind: "i32", at: 8 },
  umask: { kind: "u32", at: 12 },
} as const satisfies Layout;

/** `struct fuse_args`, fuse_opt.h; `argv` is an array of C strings. */
export const FUSE_ARGS = {
  argc: { kind: "i32", at: 0 },
  argv: { kind: "u64", at: 8 },
  allocated: { kind: "i32", at: 16 },
} as const satisfies Layout;

/** `struct fuse_buf`, fuse_common.h. Zeroed, it asks libfuse to allocate the memory itself. */
export const FUSE_BUF = {
  size: { kind: "u64", at: 0 },
  mem: { kind: "u64", at: 16 },
} as const satisfies Layout;

/** Room for `struct fuse_buf`; newer versions of libfuse have one member more. */
export const FUSE_BUF_SIZE_BYTES = 64;

/** Bits of `fuse_conn_info.capable` and `.want`. Source: FUSE_CAP_* in fuse_common.h. */
export const CAPABILITY = {
  asyncRead: 1 << 0,
  dontMask: 1 << 6,
  autoInvalidateData: 1 << 12,
  readdirPlus: 1 << 13,
  readdirPlusAuto: 1 << 14,
  asyncDirectIo: 1 << 15,
  writebackCache: 1 << 16,
  noOpen: 1 << 17,
  parallelDirectoryOperations: 1 << 18,
  cacheSymlinks: 1 << 23,
  noOpendir: 1 << 24,
  explicitInvalidateData: 1 << 25,
} as const;

/** Bits that say which attributes a SETATTR changes. Source: FUSE_SET_ATTR_*, fuse_lowlevel.h. */
export const SET_ATTRIBUTE = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
  ctime: 1 << 10,
} as const;

/**
 * The members of `struct fuse_lowlevel_ops` in their order; each is a function pointer.
 * Source: fuse_lowlevel.h.
 */
export const LOWLEVEL_OPERATIONS = [
  "init",
  "destroy",
  "lookup",
  "forget",
  "getattr",
  "setattr",
  "readlink",
  "mknod",
  "mkdir",
  "unlink",
  "rmdir",
  "symlink",
  "rename",
  "link",
  "open",
  "read",
  "write",
  "flush",
  "release",
  "fsync",
  "opendir",
  "readdir",
  "releasedir",
  "fsyncdir",
  "statfs",
  "setxattr",
  "getxattr",
  "listxattr",
  "removexattr",
  "access",
  "create",
  "getlk",
  "setlk",
  "bmap",
  "ioctl",
  "poll",
  "write_buf",
  "retrieve_reply",
  "forget_multi",
  "flock",
  "fallocate",
  "readdirplus",
  "copy_file_range",
  "lseek",
] as const;
