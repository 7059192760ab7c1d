/**
 * A reader for the arguments of the kernel's requests, which makes TypeScript values of them: names
 * and structs are valid only during the call, so they are copied here.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { type ByteString, byteString } from "../ffi/bytes.ts";
import { FUSE_CTX, SET_ATTRIBUTE, STAT_SIZE_BYTES } from "../ffi/fuse_layout.ts";
import { type Layout, readField } from "../ffi/layout.ts";
import type { Libfuse } from "../ffi/libfuse.ts";
import { type Address, borrow } from "../ffi/memory.ts";
import type { AttributeChange, Caller, Request, Timestamp } from "./file_system.ts";
import { readStat } from "./reply.ts";

/** Long enough for any name or path that the kernel accepts, with the zero byte. */
const NAME_SIZE_BYTES_MAX = 4097;

/** `struct fuse_write_in`, `struct fuse_setattr_in` and `struct fuse_getattr_in` behind their header. Source: linux/fuse.h. */
const WRITE_IN = { flags: { kind: "u32", at: 40 + 20 } } as const satisfies Layout;
const SETATTR_IN = { valid: { kind: "u32", at: 40 } } as const satisfies Layout;

/** `struct fuse_in_header`. */
const IN_HEADER = { pid: { kind: "u32", at: 32 } } as const satisfies Layout;
const GETATTR_IN = { flags: { kind: "u32", at: 40 } } as const satisfies Layout;

const GETATTR_HAS_FILE = 1 << 0;
const WRITE_FROM_CACHE = 1 << 0;
const WRITE_CLEARS_PRIVILEGES = 1 << 2;
const SETATTR_CLEARS_PRIVILEGES = 1 << 11;

/** Reads the arguments of requests. */
export class RequestReader {
  readonly #fuse: Libfuse;
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array();
  #memoryAt = 0;
  #view = new DataView(new ArrayBuffer(0));

  constructor(fuse: Libfuse) {
    this.#fuse = fuse;
  }

  /** Tells where the request that is being processed lies: names are read there without a copy. */
  useMemory(at: Address, sizeBytes: number): void {
    if (this.#memoryAt === at && this.#memory.length === sizeBytes) return;
    this.#memory = borrow(at, sizeBytes);
    this.#memoryAt = at;
    this.#view = new DataView(this.#memory.buffer, this.#memory.byteOffset);
  }

  /** The request that is being processed, as the kernel sent it, header and all. */
  view(): DataView {
    return this.#view;
  }

  /** Of the thread that made the request; 0 if it is in a container out of sight. */
  pid(): number {
    return readField(this.#view, IN_HEADER.pid);
  }

  /** A GETATTR for a file that is open, as the kernel sends it before a write. */
  isForOpenFile(): boolean {
    return (readField(this.#view, GETATTR_IN.flags) & GETATTR_HAS_FILE) !== 0;
  }

  /** A WRITE that must clear the set-user-ID bits. libfuse does not pass that flag on. */
  writeClearsPrivileges(): boolean {
    return (readField(this.#view, WRITE_IN.flags) & WRITE_CLEARS_PRIVILEGES) !== 0;
  }

  /** A WRITE of what the kernel has gathered: who wrote it does not wait for the outcome. */
  writeIsFromCache(): boolean {
    return (readField(this.#view, WRITE_IN.flags) & WRITE_FROM_CACHE) !== 0;
  }

  /** A C string: a name in a directory, or the target of a link. */
  name(at: number): ByteString {
    const from = at - this.#memoryAt;
    const inside = from >= 0 && from < this.#memory.length;
    const memory = inside ? this.#memory : borrow(at as Address, NAME_SIZE_BYTES_MAX);
    const start = inside ? from : 0;
    return byteString(memory.subarray(start, memory.indexOf(0, start)));
  }

  /** Bytes that outlive the call. */
  bytes(at: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
    return sizeBytes === 0 ? new Uint8Array() : borrow(at as Address, sizeBytes).slice();
  }

  caller(request: Request): Caller {
    const context = borrow(Number(this.#fuse.fuse_req_ctx(request)) as Address, 16);
    const view = new DataView(context.buffer);
    return { uid: readField(view, FUSE_CTX.uid), gid: readField(view, FUSE_CTX.gid) };
  }

  /** @param which Bits that say which members of the `struct stat` at `at` count. */
  attributeChange(at: number, which: number): AttributeChange {
    const view = new DataView(borrow(at as Address, STAT_SIZE_BYTES).buffer);
    const has = (bit: number) => (which & bit) !== 0;
    const time = (name: "atime" | "mtime" | "ctime"): Timestamp => ({
      seconds: readStat(view, `${name}Seconds`),
      nanoseconds: readStat(view, `${name}Nanoseconds`),
    });
    return {
      ...(has(SET_ATTRIBUTE.mode) && { mode: readStat(view, "mode") & 0o7777 }),
      ...(has(SET_ATTRIBUTE.uid) && { uid: readStat(view, "uid") }),
      ...(has(SET_ATTRIBUTE.gid) && { gid: readStat(view, "gid") }),
      ...(has(SET_ATTRIBUTE.size) && { sizeBytes: sizeOf(view) }),
      ...(has(SET_ATTRIBUTE.atime) && { accessed: time("atime") }),
      ...(has(SET_ATTRIBUTE.atimeNow) && { accessed: "now" as const }),
      ...(has(SET_ATTRIBUTE.mtime) && { modified: time("mtime") }),
      ...(has(SET_ATTRIBUTE.mtimeNow) && { modified: "now" as const }),
      ...(has(SET_ATTRIBUTE.ctime) && { changed: time("ctime") }),
      ...((readField(this.#view, SETATTR_IN.valid) & SETATTR_CLEARS_PRIVILEGES) !== 0 &&
        { clearsPrivileges: true }),
    };
  }
}

/** @throws {PbkfsError} EFBIG for a size that no number holds exactly: it must not be rounded. */
function sizeOf(view: DataView): number {
  try {
    return readStat(view, "size");
  } catch (cause) {
    throw new PbkfsError("Io", { what: "No file can be that long", errno: ERRNO.EFBIG, cause });
  }
}
