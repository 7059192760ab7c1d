/**
 * Attributes of files, by descriptor and by name.
 *
 * @module
 */

import { ERRNO } from "../../errors.ts";
import { bytesOf, byteString, printable } from "../bytes.ts";
import { type Layout, readField } from "../layout.ts";
import { allocate } from "../memory.ts";
import type { Calls } from "./calls.ts";
import type { FileStatus, Libc } from "./types.ts";

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

/** `struct linux_dirent64`. Source: linux/dirent.h. */
const DIRENT = { size: { kind: "u16", at: 16 }, nameAt: 19 } as const;

/** Of getdents64(2). Source: asm/unistd_64.h, asm-generic/unistd.h. */
const SYS_GETDENTS64 = Deno.build.arch === "aarch64" ? 61 : 217;

/** What {@link Libc.names} asks for at a time. */
const NAMES_SIZE_BYTES = 32 * 1024;

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_FDCWD = -100;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_SIZE = 0x200;
const STATX_BASIC_STATS = 0x7ff;

/** The calls about attributes. */
type AttributeCalls = Pick<
  Libc,
  "fstat" | "statAt" | "names" | "sizeAt" | "deviceOf" | "fchmod" | "fchown"
>;

/** Makes the calls that tell of files, and that change whose they are. */
export function attributeCalls(calls: Calls): AttributeCalls {
  const { symbols, took, failure, fail, check } = calls;
  const status = allocate(256);
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
  return {
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
      if (done < 0 && failure() === ERRNO.ENOENT) return undefined;
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
  };
}
