/**
 * Requests that the libfuse of most systems does not know, answered without it: TMPFILE (libfuse
 * 3.17 and later) and STATX (3.18 and later). The kernel sends them from 6.2 and 6.6 on, whatever
 * libfuse there is; one that does not know them would say that nobody serves them.
 *
 * @module
 */

import { ERRNO } from "../errors.ts";
import { type Field, type Layout, readField, writeField } from "../ffi/layout.ts";
import type { Fd, Libc } from "../ffi/libc.ts";
import { allocate, type NativeBuffer } from "../ffi/memory.ts";
import type { Attributes, AttributesAnswer, FileSystem, Ino, Timestamp } from "./file_system.ts";
import { CACHE_SECONDS, IO_SIZE_BYTES, secondsOf } from "./reply.ts";

/** `struct fuse_in_header`, and behind it `struct fuse_create_in`. Source: linux/fuse.h. */
const REQUEST = {
  opcode: { kind: "u32", at: 4 },
  unique: { kind: "u64", at: 8 },
  nodeid: { kind: "u64", at: 16 },
  uid: { kind: "u32", at: 24 },
  gid: { kind: "u32", at: 28 },
  createMode: { kind: "u32", at: 40 + 4 },
} as const satisfies Layout;

/** `struct fuse_out_header`; `error` is a negative errno. */
const REPLY = {
  size: { kind: "u32", at: 0 },
  error: { kind: "i32", at: 4 },
  unique: { kind: "u64", at: 8 },
} as const satisfies Layout;
const REPLY_SIZE_BYTES = 16;

/** `struct fuse_entry_out` with the `struct fuse_attr` in it, and `struct fuse_open_out`. */
const CREATED = {
  nodeid: { kind: "u64", at: 16 },
  entryValid: { kind: "u64", at: 32 },
  attrValid: { kind: "u64", at: 40 },
  ino: { kind: "u64", at: 56 },
  size: { kind: "u64", at: 64 },
  blocks: { kind: "u64", at: 72 },
  atime: { kind: "i64", at: 80 },
  mtime: { kind: "i64", at: 88 },
  ctime: { kind: "i64", at: 96 },
  atimeNanoseconds: { kind: "u32", at: 104 },
  mtimeNanoseconds: { kind: "u32", at: 108 },
  ctimeNanoseconds: { kind: "u32", at: 112 },
  mode: { kind: "u32", at: 116 },
  links: { kind: "u32", at: 120 },
  uid: { kind: "u32", at: 124 },
  gid: { kind: "u32", at: 128 },
  rdev: { kind: "u32", at: 132 },
  blockSize: { kind: "u32", at: 136 },
  openFlags: { kind: "u32", at: 152 },
} as const satisfies Layout;
const CREATED_SIZE_BYTES = 160;
const FOPEN_KEEP_CACHE = 2;

/** `struct fuse_statx_out`, with the `struct fuse_statx` in it. */
const STATUS = {
  attrValid: { kind: "u64", at: 16 },
  mask: { kind: "u32", at: 48 },
  blockSize: { kind: "u32", at: 52 },
  links: { kind: "u32", at: 64 },
  uid: { kind: "u32", at: 68 },
  gid: { kind: "u32", at: 72 },
  mode: { kind: "u16", at: 76 },
  ino: { kind: "u64", at: 80 },
  size: { kind: "u64", at: 88 },
  blocks: { kind: "u64", at: 96 },
  rdevMajor: { kind: "u32", at: 176 },
  rdevMinor: { kind: "u32", at: 180 },
} as const satisfies Layout;
/** Where each `struct fuse_sx_time` begins. */
const STATUS_TIMES_AT = { accessed: 112, born: 128, changed: 144, modified: 160 } as const;
const STATUS_SIZE_BYTES = 304;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;

const FUSE_TMPFILE = 51;
const FUSE_STATX = 52;
const TYPE_FILE = 0o100000;

/** What they are served with. */
export interface OwnRequestsOptions {
  readonly fileSystem: FileSystem;
  readonly libc: Libc;
  /** Gives the errno of what was thrown, and tells of it if it is no ordinary refusal. */
  readonly failed: (operation: string, error: unknown) => number;
  /** Told how a request was answered: 0, or an errno. */
  readonly onAnswered: (errno: number) => void;
}

/** Whose attributes an answer tells. */
interface Told {
  readonly ino: Ino;
  readonly answer: AttributesAnswer;
}

/** Answers them. Its buffers are reused; one thread uses it. */
export class OwnRequests {
  readonly #options: OwnRequestsOptions;
  readonly #created: NativeBuffer = allocate(CREATED_SIZE_BYTES);
  readonly #status: NativeBuffer = allocate(STATUS_SIZE_BYTES);

  constructor(options: OwnRequestsOptions) {
    this.#options = options;
  }

  /**
   * Answers a request, if it is one of these.
   *
   * @param fd The session's descriptor.
   * @returns false if libfuse has to answer it.
   */
  serve(request: DataView, fd: Fd): boolean {
    const { fileSystem } = this.#options;
    const node = () => readField(request, REQUEST.nodeid) as Ino;
    switch (readField(request, REQUEST.opcode)) {
      case FUSE_TMPFILE:
        if (fileSystem.makeTemporary === undefined) return false;
        this.#answer("tmpfile", { request, fd, reply: this.#created }, () => {
          const mode = TYPE_FILE | (readField(request, REQUEST.createMode) & 0o7777);
          const caller = {
            uid: readField(request, REQUEST.uid),
            gid: readField(request, REQUEST.gid),
          };
          const made = fileSystem.makeTemporary!(node(), { mode, rdev: 0, caller });
          fillCreated(this.#created.view, made);
          return { ino: made.ino, answer: "change" };
        });
        return true;
      case FUSE_STATX:
        this.#answer("statx", { request, fd, reply: this.#status }, () => {
          const ino = node();
          fillStatus(this.#status.view, fileSystem.getAttributes(ino));
          return { ino, answer: "asked" };
        });
        return true;
      default:
        return false;
    }
  }

  #answer(
    operation: string,
    { request, fd, reply }: { request: DataView; fd: Fd; reply: NativeBuffer },
    fill: () => Told,
  ): void {
    const { fileSystem } = this.#options;
    let errno = 0;
    let told: Told | undefined;
    try {
      told = fill();
    } catch (error) {
      errno = this.#options.failed(operation, error);
    }
    const size = errno === 0 ? reply.sizeBytes : REPLY_SIZE_BYTES;
    writeField(reply.view, REPLY.size, size);
    writeField(reply.view, REPLY.error, -errno);
    writeField(reply.view, REPLY.unique, readField(request, REQUEST.unique));
    this.#options.onAnswered(errno);
    if (told !== undefined) fileSystem.telling?.(told.ino, told.answer);
    try {
      this.#options.libc.write(fd, reply.address, size);
      if (told !== undefined) fileSystem.told?.(told.ino, told.answer);
    } catch (error) {
      // Who asked has gone meanwhile, or the mount has.
      const left: readonly unknown[] = [ERRNO.ENOENT, ERRNO.ENODEV];
      if (!left.includes((error as { errno?: unknown }).errno)) throw error;
    }
  }
}

function fillCreated(view: DataView, from: Attributes): void {
  writeField(view, CREATED.nodeid, from.ino);
  writeField(view, CREATED.entryValid, CACHE_SECONDS);
  writeField(view, CREATED.attrValid, secondsOf(from));
  writeField(view, CREATED.ino, from.ino);
  writeField(view, CREATED.size, from.sizeBytes);
  writeField(view, CREATED.blocks, from.blocks512);
  const time = (seconds: Field, nanoseconds: Field, value: Timestamp) => {
    writeField(view, seconds, value.seconds);
    writeField(view, nanoseconds, value.nanoseconds);
  };
  time(CREATED.atime, CREATED.atimeNanoseconds, from.accessed);
  time(CREATED.mtime, CREATED.mtimeNanoseconds, from.modified);
  time(CREATED.ctime, CREATED.ctimeNanoseconds, from.changed);
  writeField(view, CREATED.mode, from.mode);
  writeField(view, CREATED.links, from.links);
  writeField(view, CREATED.uid, from.uid);
  writeField(view, CREATED.gid, from.gid);
  writeField(view, CREATED.rdev, from.rdev);
  writeField(view, CREATED.blockSize, IO_SIZE_BYTES);
  writeField(view, CREATED.openFlags, FOPEN_KEEP_CACHE);
}

function fillStatus(view: DataView, from: Attributes): void {
  const { born } = from;
  writeField(view, STATUS.attrValid, secondsOf(from));
  writeField(view, STATUS.mask, STATX_BASIC_STATS | (born === undefined ? 0 : STATX_BTIME));
  writeField(view, STATUS.blockSize, IO_SIZE_BYTES);
  writeField(view, STATUS.links, from.links);
  writeField(view, STATUS.uid, from.uid);
  writeField(view, STATUS.gid, from.gid);
  writeField(view, STATUS.mode, from.mode);
  writeField(view, STATUS.ino, from.ino);
  writeField(view, STATUS.size, from.sizeBytes);
  writeField(view, STATUS.blocks, from.blocks512);
  const time = (at: number, { seconds, nanoseconds }: Timestamp) => {
    writeField(view, { kind: "i64", at }, seconds);
    writeField(view, { kind: "u32", at: at + 8 }, nanoseconds);
  };
  time(STATUS_TIMES_AT.accessed, from.accessed);
  time(STATUS_TIMES_AT.born, born ?? { seconds: 0, nanoseconds: 0 });
  time(STATUS_TIMES_AT.changed, from.changed);
  time(STATUS_TIMES_AT.modified, from.modified);
  // As the kernel encodes them in one number: new_encode_dev() in linux/kdev_t.h.
  writeField(view, STATUS.rdevMajor, (from.rdev >>> 8) & 0xfff);
  writeField(view, STATUS.rdevMinor, (from.rdev & 0xff) | ((from.rdev >>> 12) & 0xfff00));
}
