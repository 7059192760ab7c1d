/**
 * Answers LSEEK: where data, or a hole, begins.
 *
 * The kernel asks without handing on first what it has gathered (write-back), so a hole that we
 * know of may have been written to, and the file may be longer than we know. A program that copies
 * only what is data would lose those bytes. So before a hole is told, the kernel is made to hand on
 * what it has there: it does that when it is told that its pages are no longer valid. While it is
 * told, it waits for the answers to its WRITEs, so another thread tells it, and the LSEEK waits.
 *
 * @module
 */

import { ERRNO } from "../errors.ts";
import { AsyncWrite } from "../ffi/async_write.ts";
import { type Layout, writeField } from "../ffi/layout.ts";
import type { Fd } from "../ffi/libc.ts";
import type { Libfuse } from "../ffi/libfuse.ts";
import { allocate, type NativeBuffer } from "../ffi/memory.ts";
import type { FileSystem, Found, Ino, Request } from "./file_system.ts";

/**
 * A message to the kernel: `struct fuse_out_header`, in which `error` says which message it is, and
 * `struct fuse_notify_inval_inode_out`. Source: linux/fuse.h.
 */
const INVALIDATE = {
  size: { kind: "u32", at: 0 },
  message: { kind: "i32", at: 4 },
  ino: { kind: "u64", at: 16 },
  offset: { kind: "i64", at: 24 },
  /** 0: up to the end. */
  length: { kind: "i64", at: 32 },
} as const satisfies Layout;
const INVALIDATE_SIZE_BYTES = 40;
const FUSE_NOTIFY_INVAL_INODE = 2;

/** How long the thread that serves may sleep while an answer is waited for. */
const LOOK_AGAIN_MS = 1;

/** One question. */
interface Seek {
  readonly request: Request;
  readonly ino: Ino;
  readonly offsetBytes: number;
  readonly what: "data" | "hole";
}

/** A question whose answer waits until the kernel has handed on what it has in a range. */
interface WaitingSeek extends Seek {
  readonly fromBytes: number;
  readonly endBytes: number;
  readonly flush: AsyncWrite;
}

/** What questions are answered with. */
export interface SeeksOptions {
  readonly fuse: Libfuse;
  readonly fileSystem: FileSystem;
  /** Ends a request with the errno of what was thrown. */
  readonly fail: (request: Request, error: unknown) => void;
}

/** The questions of one session. */
export class Seeks {
  readonly #options: SeeksOptions;
  #waiting: WaitingSeek[] = [];
  /** The session's descriptor; the kernel gathers writes. */
  #fd: Fd | undefined;

  constructor(options: SeeksOptions) {
    this.#options = options;
  }

  /** From now on the kernel may have bytes that we do not know of. */
  flushThrough(fd: Fd): void {
    this.#fd = fd;
  }

  /** Answers, now or later. @returns Whether it is later. */
  seek(request: Request, ino: Ino, offsetBytes: number, what: "data" | "hole"): boolean {
    const seek = { request, ino, offsetBytes, what };
    const found = this.#find(seek);
    if (found === "unknown") this.#options.fuse.fuse_reply_err(request, ERRNO.ENOSYS);
    else return this.#decide(seek, found, Infinity, -Infinity);
    return false;
  }

  /** Milliseconds until {@link Seeks.settle} wants to be called; undefined: never. */
  dueMs(): number | undefined {
    return this.#waiting.length === 0 ? undefined : LOOK_AGAIN_MS;
  }

  /** Answers what can be answered by now. */
  settle(): void {
    if (this.#waiting.length === 0) return;
    const done = this.#waiting.filter(({ flush }) => flush.isDone);
    if (done.length === 0) return;
    this.#waiting = this.#waiting.filter((seek) => !done.includes(seek));
    for (const { fromBytes, endBytes, ...seek } of done) {
      try {
        this.#decide(seek, this.#find(seek) as Found, fromBytes, endBytes);
      } catch (error) {
        this.#options.fail(seek.request, error);
      }
    }
  }

  /** Ends what nobody can answer any more. */
  close(): void {
    for (const { request } of this.#waiting.splice(0)) {
      this.#options.fuse.fuse_reply_err(request, ERRNO.EIO);
    }
  }

  #find({ ino, offsetBytes, what }: Seek): Found | "unknown" {
    return this.#options.fileSystem.seek?.(ino, offsetBytes, what) ?? "unknown";
  }

  /** Answers if all that the answer rests on has been flushed: between `from` and `end`. */
  #decide(seek: Seek, found: Found, from: number, end: number): boolean {
    const { emptyFromBytes, emptyEndBytes } = found;
    const fd = this.#fd;
    const isSure = fd === undefined || emptyFromBytes >= emptyEndBytes ||
      (emptyFromBytes >= from && emptyEndBytes <= end);
    const flush = isSure
      ? undefined
      : AsyncWrite.start(fd, invalidation(seek.ino, emptyFromBytes, emptyEndBytes));
    if (flush !== undefined) {
      const range = { fromBytes: emptyFromBytes, endBytes: emptyEndBytes };
      this.#waiting.push({ ...seek, ...range, flush });
      return true;
    }
    const { fuse } = this.#options;
    const { offsetBytes } = found;
    // Where nothing can be flushed, the kernel takes all for data, from then on.
    if (!isSure) fuse.fuse_reply_err(seek.request, ERRNO.ENOSYS);
    else if (offsetBytes === undefined) fuse.fuse_reply_err(seek.request, ERRNO.ENXIO);
    else fuse.fuse_reply_lseek(seek.request, offsetBytes);
    return false;
  }
}

/** The message that pages of an inode are no longer valid; dirty ones are handed on first. */
function invalidation(ino: Ino, fromBytes: number, endBytes: number): NativeBuffer {
  const message = allocate(INVALIDATE_SIZE_BYTES);
  writeField(message.view, INVALIDATE.size, INVALIDATE_SIZE_BYTES);
  writeField(message.view, INVALIDATE.message, FUSE_NOTIFY_INVAL_INODE);
  writeField(message.view, INVALIDATE.ino, ino);
  writeField(message.view, INVALIDATE.offset, fromBytes);
  const length = endBytes === Infinity ? 0 : endBytes - fromBytes;
  writeField(message.view, INVALIDATE.length, length);
  return message;
}
