/**
 * A line per request and one per reply, under one number, the kernel's own:
 *
 *     81 read inode=12 at=8192 size=8192
 *     81 ok 8192
 *
 * Who does not trace pays nothing: the functions that reply are other ones while tracing.
 *
 * @module
 */

import { errnoName } from "../errors.ts";
import type { Libfuse } from "../ffi/libfuse.ts";
import type { Request } from "./file_system.ts";

/** What is told of requests. */
export interface TraceSink {
  line(text: string): void;
  /** The request at this address will be answered by another thread. */
  handedOver(number: number, request: Request): void;
}

/** Where the arguments of a request begin: `struct fuse_in_header`, linux/fuse.h. */
const HEADER = { opcode: 4, unique: 8, nodeid: 16, arguments: 40 } as const;

type Describe = (view: DataView) => string;

const number32 = (label: string, at: number): Describe => (view) =>
  `${label}=${view.getUint32(HEADER.arguments + at, true)}`;
const number64 = (label: string, at: number): Describe => (view) =>
  `${label}=${view.getBigUint64(HEADER.arguments + at, true)}`;
const name = (at: number): Describe => (view) => `name=${textAt(view, HEADER.arguments + at)[0]}`;
const names = (at: number): Describe => (view) => {
  const [first, end] = textAt(view, HEADER.arguments + at);
  return `name=${first} to=${textAt(view, end)[0]}`;
};
const TRANSFER = [number64("at", 8), number32("size", 16)];

/** Names and arguments of operations. @see enum fuse_opcode and the structs in linux/fuse.h */
const OPERATIONS: Readonly<Record<number, readonly [string, ...Describe[]]>> = {
  1: ["lookup", name(0)],
  2: ["forget", number64("count", 0)],
  3: ["getattr"],
  4: ["setattr", number32("which", 0), number64("size", 16)],
  5: ["readlink"],
  6: ["symlink", names(0)],
  8: ["mknod", number32("mode", 0), name(16)],
  9: ["mkdir", number32("mode", 0), name(8)],
  10: ["unlink", name(0)],
  11: ["rmdir", name(0)],
  12: ["rename", number64("parent", 0), names(8)],
  13: ["link", number64("inode", 0), name(8)],
  14: ["open"],
  15: ["read", ...TRANSFER],
  16: ["write", ...TRANSFER],
  17: ["statfs"],
  20: ["fsync", number32("dataonly", 8)],
  21: ["setxattr"],
  22: ["getxattr", name(8)],
  23: ["listxattr"],
  24: ["removexattr", name(0)],
  26: ["init"],
  27: ["opendir"],
  28: ["readdir", ...TRANSFER],
  30: ["fsyncdir"],
  35: ["create", number32("mode", 4), name(16)],
  36: ["interrupt", number64("request", 0)],
  38: ["destroy"],
  42: ["forget", number32("inodes", 0)],
  43: ["fallocate", number64("at", 8), number64("size", 16), number32("mode", 24)],
  44: ["readdirplus", ...TRANSFER],
  45: ["rename", number64("parent", 0), number32("flags", 8), names(16)],
  51: ["tmpfile", number32("mode", 4)],
  52: ["statx"],
  46: ["lseek", number64("at", 8), number32("whence", 16)],
};

/** Follows the requests of one session. */
export class Trace {
  readonly #sink: TraceSink;
  #number = 0;
  #isAnswered = false;

  constructor(sink: TraceSink) {
    this.#sink = sink;
  }

  /** @param view The request as the kernel sent it. */
  begin(view: DataView): void {
    this.#number = Number(view.getBigUint64(HEADER.unique, true));
    this.#isAnswered = false;
    const opcode = view.getUint32(HEADER.opcode, true);
    const [operation, ...describe] = OPERATIONS[opcode] ?? [`operation ${opcode}`];
    const inode = view.getBigUint64(HEADER.nodeid, true);
    const parts = describe.map((part) => ` ${part(view)}`).join("");
    this.#sink.line(`${this.#number} ${operation} inode=${inode}${parts}`);
  }

  handedOver(request: Request): void {
    this.#isAnswered = true;
    this.#sink.handedOver(this.#number, request);
  }

  /** What is not served here, such as flush, libfuse answers by itself. */
  end(): void {
    if (!this.#isAnswered) this.answered("left to libfuse");
  }

  /** The same functions; those that reply tell of it. */
  replies(fuse: Libfuse): Libfuse {
    const told = <A extends unknown[], R>(
      call: (request: number, ...rest: A) => R,
      text: (...rest: A) => string,
    ) =>
    (request: number, ...rest: A): R => {
      this.answered(text(...rest));
      return call(request, ...rest);
    };
    return {
      ...fuse,
      fuse_reply_err: told(fuse.fuse_reply_err, outcomeText),
      fuse_reply_none: told(fuse.fuse_reply_none, () => "ok"),
      fuse_reply_entry: told(fuse.fuse_reply_entry, () => "ok"),
      fuse_reply_create: told(fuse.fuse_reply_create, () => "ok"),
      fuse_reply_attr: told(fuse.fuse_reply_attr, () => "ok"),
      fuse_reply_readlink: told(fuse.fuse_reply_readlink, () => "ok"),
      fuse_reply_open: told(fuse.fuse_reply_open, () => "ok"),
      fuse_reply_write: told(fuse.fuse_reply_write, (size) => `ok ${size}`),
      fuse_reply_buf: told(fuse.fuse_reply_buf, (_, size) => `ok ${size}`),
      fuse_reply_lseek: told(fuse.fuse_reply_lseek, (at) => `ok ${at}`),
      fuse_reply_statfs: told(fuse.fuse_reply_statfs, () => "ok"),
      fuse_reply_xattr: told(fuse.fuse_reply_xattr, (size) => `ok ${size}`),
    };
  }

  /** The request that began last has been answered. */
  answered(text: string): void {
    this.#isAnswered = true;
    this.#sink.line(`${this.#number} ${text}`);
  }
}

/** An answer that is no more than an errno, or 0. */
export function outcomeText(errno: number): string {
  return errno === 0 ? "ok" : `failed ${errnoName(errno)}`;
}

/** A C string, and where what follows it begins. Not UTF-8 necessarily, so shown with escapes. */
function textAt(view: DataView, from: number): [string, number] {
  let end = from;
  while (end < view.byteLength && view.getUint8(end) !== 0) end++;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, end - from);
  return [JSON.stringify(new TextDecoder().decode(bytes)), end + 1];
}
