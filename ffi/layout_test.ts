/**
 * Holds the tables of structs against the C headers of this machine.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  CAPABILITY,
  FUSE_ARGS,
  FUSE_BUF,
  FUSE_BUF_SIZE_BYTES,
  FUSE_CONN_INFO,
  FUSE_CTX,
  FUSE_ENTRY_PARAM,
  FUSE_ENTRY_PARAM_ATTR_AT,
  FUSE_ENTRY_PARAM_SIZE_BYTES,
  FUSE_FILE_INFO,
  FUSE_FILE_INFO_SIZE_BYTES,
  LOWLEVEL_OPERATIONS,
  SET_ATTRIBUTE,
  STAT,
  STAT_SIZE_BYTES,
} from "./fuse_layout.ts";
import { AIOCB, AIOCB_SIZE_BYTES, SIGEV_NONE } from "./async_write.ts";
import { Z_STREAM, Z_STREAM_SIZE_BYTES } from "./codecs.ts";
import { type Layout, readField, writeField } from "./layout.ts";
import { FALLOCATE, FLOCK, OPEN, RESOLVE, STATVFS } from "./libc.ts";
import { STATX } from "./libc/attributes.ts";
import { OPEN_HOW, SYS_OPENAT2 } from "./libc/descriptors.ts";
import { TIMESPEC } from "./libc/system.ts";
import { IOVEC } from "./libc/types.ts";
import { POLLFD } from "./libc/waiting.ts";

/** A struct, our table of it, and the C names of the members, where they differ. */
interface Probe {
  readonly struct: string;
  readonly layout: Layout;
  readonly members: Readonly<Record<string, string>>;
}

const PROBES: readonly Probe[] = [
  {
    struct: "struct stat",
    layout: STAT,
    members: {
      ino: "st_ino",
      nlink: "st_nlink",
      mode: "st_mode",
      uid: "st_uid",
      gid: "st_gid",
      rdev: "st_rdev",
      size: "st_size",
      blksize: "st_blksize",
      blocks: "st_blocks",
      atimeSeconds: "st_atim.tv_sec",
      atimeNanoseconds: "st_atim.tv_nsec",
      mtimeSeconds: "st_mtim.tv_sec",
      mtimeNanoseconds: "st_mtim.tv_nsec",
      ctimeSeconds: "st_ctim.tv_sec",
      ctimeNanoseconds: "st_ctim.tv_nsec",
    },
  },
  { struct: "struct iovec", layout: IOVEC, members: { base: "iov_base", size: "iov_len" } },
  {
    struct: "struct statx",
    layout: STATX,
    members: {
      links: "stx_nlink",
      uid: "stx_uid",
      gid: "stx_gid",
      mode: "stx_mode",
      inode: "stx_ino",
      size: "stx_size",
      blocks: "stx_blocks",
      mtimeSeconds: "stx_mtime.tv_sec",
      mtimeNanoseconds: "stx_mtime.tv_nsec",
      deviceMajor: "stx_dev_major",
      deviceMinor: "stx_dev_minor",
    },
  },
  {
    struct: "struct statvfs",
    layout: STATVFS,
    members: {
      fragmentBytes: "f_frsize",
      blocks: "f_blocks",
      available: "f_bavail",
      files: "f_files",
      filesAvailable: "f_favail",
    },
  },
  {
    struct: "struct fuse_entry_param",
    layout: FUSE_ENTRY_PARAM,
    members: { attrTimeout: "attr_timeout", entryTimeout: "entry_timeout" },
  },
  {
    struct: "struct fuse_conn_info",
    layout: FUSE_CONN_INFO,
    members: {
      protoMajor: "proto_major",
      protoMinor: "proto_minor",
      maxWrite: "max_write",
      maxRead: "max_read",
      maxReadahead: "max_readahead",
      maxBackground: "max_background",
      congestionThreshold: "congestion_threshold",
      timeGran: "time_gran",
    },
  },
  { struct: "struct fuse_ctx", layout: FUSE_CTX, members: {} },
  { struct: "struct fuse_args", layout: FUSE_ARGS, members: {} },
  { struct: "struct fuse_buf", layout: FUSE_BUF, members: {} },
  { struct: "struct pollfd", layout: POLLFD, members: {} },
  {
    struct: "struct timespec",
    layout: TIMESPEC,
    members: { seconds: "tv_sec", nanoseconds: "tv_nsec" },
  },
  {
    struct: "struct aiocb",
    layout: AIOCB,
    members: {
      fd: "aio_fildes",
      bytes: "aio_buf",
      size: "aio_nbytes",
      notify: "aio_sigevent.sigev_notify",
    },
  },
  { struct: "struct open_how", layout: OPEN_HOW, members: {} },
  // The bit fields after `flags` have no offset that C would tell.
  {
    struct: "struct fuse_file_info",
    layout: { flags: FUSE_FILE_INFO.flags, fh: FUSE_FILE_INFO.fh },
    members: {},
  },
  {
    struct: "z_stream",
    layout: Z_STREAM,
    members: { nextIn: "next_in", availIn: "avail_in", nextOut: "next_out", availOut: "avail_out" },
  },
];

/** What C must say of constants and sizes; each is an expression. */
const VALUES: Readonly<Record<string, number>> = {
  "sizeof(struct stat)": STAT_SIZE_BYTES,
  "sizeof(struct fuse_entry_param)": FUSE_ENTRY_PARAM_SIZE_BYTES,
  "offsetof(struct fuse_entry_param, attr)": FUSE_ENTRY_PARAM_ATTR_AT,
  "sizeof(struct aiocb)": AIOCB_SIZE_BYTES,
  SIGEV_NONE,
  "sizeof(z_stream)": Z_STREAM_SIZE_BYTES,
  FUSE_CAP_ASYNC_READ: CAPABILITY.asyncRead,
  FUSE_CAP_AUTO_INVAL_DATA: CAPABILITY.autoInvalidateData,
  FUSE_CAP_READDIRPLUS: CAPABILITY.readdirPlus,
  FUSE_CAP_READDIRPLUS_AUTO: CAPABILITY.readdirPlusAuto,
  FUSE_CAP_ASYNC_DIO: CAPABILITY.asyncDirectIo,
  FUSE_CAP_WRITEBACK_CACHE: CAPABILITY.writebackCache,
  FUSE_CAP_NO_OPEN_SUPPORT: CAPABILITY.noOpen,
  FUSE_CAP_PARALLEL_DIROPS: CAPABILITY.parallelDirectoryOperations,
  FUSE_CAP_CACHE_SYMLINKS: CAPABILITY.cacheSymlinks,
  FUSE_CAP_NO_OPENDIR_SUPPORT: CAPABILITY.noOpendir,
  FUSE_CAP_EXPLICIT_INVAL_DATA: CAPABILITY.explicitInvalidateData,
  FUSE_SET_ATTR_MODE: SET_ATTRIBUTE.mode,
  FUSE_SET_ATTR_UID: SET_ATTRIBUTE.uid,
  FUSE_SET_ATTR_GID: SET_ATTRIBUTE.gid,
  FUSE_SET_ATTR_SIZE: SET_ATTRIBUTE.size,
  FUSE_SET_ATTR_ATIME: SET_ATTRIBUTE.atime,
  FUSE_SET_ATTR_MTIME: SET_ATTRIBUTE.mtime,
  FUSE_SET_ATTR_ATIME_NOW: SET_ATTRIBUTE.atimeNow,
  FUSE_SET_ATTR_MTIME_NOW: SET_ATTRIBUTE.mtimeNow,
  FUSE_SET_ATTR_CTIME: SET_ATTRIBUTE.ctime,
  O_RDWR: OPEN.readWrite,
  O_CREAT: OPEN.create,
  O_EXCL: OPEN.exclusive,
  O_TRUNC: OPEN.truncate,
  O_APPEND: OPEN.append,
  O_NONBLOCK: OPEN.nonBlocking,
  O_NOFOLLOW: OPEN.noFollow,
  O_DIRECTORY: OPEN.directory,
  O_CLOEXEC: OPEN.closeOnExec,
  O_NOCTTY: OPEN.noTerminal,
  O_PATH: OPEN.pathOnly,
  SYS_openat2: SYS_OPENAT2,
  RESOLVE_NO_MAGICLINKS: RESOLVE.noMagicLinks,
  RESOLVE_NO_SYMLINKS: RESOLVE.noSymlinks,
  RESOLVE_BENEATH: RESOLVE.beneath,
  FALLOC_FL_KEEP_SIZE: FALLOCATE.keepSize,
  FALLOC_FL_PUNCH_HOLE: FALLOCATE.punchHole,
  FALLOC_FL_ZERO_RANGE: FALLOCATE.zeroRange,
  LOCK_SH: FLOCK.shared,
  LOCK_EX: FLOCK.exclusive,
  LOCK_NB: FLOCK.nonBlocking,
  LOCK_UN: FLOCK.unlock,
};

/** Sizes that we only leave room for. */
const ROOM: Readonly<Record<string, number>> = {
  "sizeof(struct fuse_file_info)": FUSE_FILE_INFO_SIZE_BYTES,
  "sizeof(struct fuse_buf)": FUSE_BUF_SIZE_BYTES,
};

/** Bytes of a member's kind. */
const KIND_SIZE_BYTES = { u16: 2, i32: 4, u32: 4, i64: 8, u64: 8, f64: 8 } as const;

function member({ members }: Probe, name: string): string {
  return members[name] ?? name;
}

/** A C program that prints a line `key value` for everything that we want to know. */
function probeSource(): string {
  const lines: string[] = [];
  const print = (key: string, value: string) =>
    lines.push(`printf("%s\\t%lld\\n", ${JSON.stringify(key)}, (long long)(${value}));`);
  for (const probe of PROBES) {
    for (const name of Object.keys(probe.layout)) {
      const path = member(probe, name);
      print(`at ${probe.struct} ${name}`, `offsetof(${probe.struct}, ${path})`);
      print(`size ${probe.struct} ${name}`, `sizeof(((${probe.struct} *)0)->${path})`);
    }
  }
  for (const key of [...Object.keys(VALUES), ...Object.keys(ROOM)]) print(key, key);
  LOWLEVEL_OPERATIONS.forEach((name) => {
    print(`operation ${name}`, `offsetof(struct fuse_lowlevel_ops, ${name}) / sizeof(void *)`);
  });
  return `#define _GNU_SOURCE
#define FUSE_USE_VERSION 34
#include <aio.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <sys/syscall.h>
#include <zlib.h>
int main(void) { ${lines.join("\n")} return 0; }`;
}

/** What C says; undefined if this machine has no compiler or headers. */
async function probe(): Promise<Map<string, number> | { readonly missing: string }> {
  const dirPath = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dirPath}/probe.c`, probeSource());
    const script =
      `cc -o probe probe.c $(pkg-config --cflags fuse3 2>/dev/null || echo -I/usr/include/fuse3)` +
      ` && ./probe`;
    const { success, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", script],
      cwd: dirPath,
    }).output();
    const text = new TextDecoder();
    if (!success) return { missing: text.decode(stderr).trim().split("\n")[0] ?? "" };
    const lines = text.decode(stdout).trim().split("\n").map((line) => line.split("\t"));
    return new Map(lines.map(([key, value]) => [key as string, Number(value)]));
  } finally {
    await Deno.remove(dirPath, { recursive: true });
  }
}

Deno.test("struct layouts and constants agree with the C headers [FR-501]", async () => {
  const c = await probe();
  if (!(c instanceof Map)) {
    const skipped = `SKIPPED FR-501: cc, libfuse3-dev, zlib1g-dev are needed (${c.missing})\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(skipped));
    return;
  }
  for (const { struct, layout } of PROBES) {
    for (const [name, { kind, at }] of Object.entries(layout)) {
      assert.equal(c.get(`at ${struct} ${name}`), at, `${struct}.${name} lies elsewhere`);
      const size = c.get(`size ${struct} ${name}`);
      assert.equal(size, KIND_SIZE_BYTES[kind], `${struct}.${name} has another size`);
    }
  }
  for (const [key, value] of Object.entries(VALUES)) assert.equal(c.get(key), value, key);
  for (const [key, value] of Object.entries(ROOM)) {
    assert.ok((c.get(key) ?? Infinity) <= value, key);
  }
  LOWLEVEL_OPERATIONS.forEach((name, index) => {
    assert.equal(c.get(`operation ${name}`), index, name);
  });
});

Deno.test("a 64-bit member holds every safe integer, negative ones too [FR-502]", () => {
  const view = new DataView(new ArrayBuffer(8));
  const field = { kind: "i64", at: 0 } as const;
  const values = [0, 1, -1, 0x7fff_ffff, 0x8000_0000, -0x8000_0001, 2 ** 53 - 1, -(2 ** 53 - 1)];
  for (const value of values) {
    writeField(view, field, value);
    assert.equal(readField(view, field), value);
  }
});

Deno.test("a size beyond the safe integers is an error, not a rounded number [FR-502]", () => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, 2n ** 60n + 1n, true);
  assert.throws(() => readField(view, { kind: "u64", at: 0 }), RangeError);
});
