/**
 * A write that another thread makes: the C library's, as aio(7) describes it. For messages to a
 * device that may answer only after this thread has done something else.
 *
 * @module
 */

import { type Functions, tryOpenLibrary } from "./library.ts";
import { type Layout, writeField } from "./layout.ts";
import type { Fd } from "./libc.ts";
import { allocate, type NativeBuffer } from "./memory.ts";

/** `struct aiocb`, the same on x86_64 and aarch64. Source: aio.h. */
export const AIOCB = {
  fd: { kind: "i32", at: 0 },
  bytes: { kind: "u64", at: 16 },
  size: { kind: "u64", at: 24 },
  /** `aio_sigevent.sigev_notify`. */
  notify: { kind: "i32", at: 44 },
} as const satisfies Layout;
/** `sizeof(struct aiocb)`. */
export const AIOCB_SIZE_BYTES = 168;
/** Nobody is told when it is done. */
export const SIGEV_NONE = 1;

const SYMBOLS = {
  // int aio_write(struct aiocb *request)
  aio_write: { parameters: ["usize"], result: "i32" },
  // int aio_error(const struct aiocb *request)
  aio_error: { parameters: ["usize"], result: "i32" },
  // ssize_t aio_return(struct aiocb *request)
  aio_return: { parameters: ["usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const EINPROGRESS = 115;

let opened: Functions<typeof SYMBOLS> | undefined | "missing";

/** Before glibc 2.34 these functions had a library of their own. */
function library(): Functions<typeof SYMBOLS> | undefined {
  if (opened === undefined) {
    const found = tryOpenLibrary(["libc.so.6", "librt.so.1"], SYMBOLS);
    opened = "functions" in found ? found.functions : "missing";
  }
  return opened === "missing" ? undefined : opened;
}

/** Memory that the other thread still looks at. */
const underWay = new Set<AsyncWrite>();

/** One write of all bytes. */
export class AsyncWrite {
  readonly #request: NativeBuffer = allocate(AIOCB_SIZE_BYTES);
  readonly #functions: Functions<typeof SYMBOLS>;
  /** Kept reachable until the write is done. */
  readonly bytes: NativeBuffer;
  #isDone = false;

  private constructor(functions: Functions<typeof SYMBOLS>, bytes: NativeBuffer) {
    this.#functions = functions;
    this.bytes = bytes;
  }

  /** Begins a write. @returns undefined where that cannot be done. */
  static start(fd: Fd, bytes: NativeBuffer): AsyncWrite | undefined {
    const functions = library();
    if (functions === undefined) return undefined;
    const write = new AsyncWrite(functions, bytes);
    const { view, address } = write.#request;
    writeField(view, AIOCB.fd, fd);
    writeField(view, AIOCB.bytes, bytes.address);
    writeField(view, AIOCB.size, bytes.sizeBytes);
    writeField(view, AIOCB.notify, SIGEV_NONE);
    if (functions.aio_write(address) !== 0) return undefined;
    underWay.add(write);
    return write;
  }

  /** Whether it has ended, well or badly. */
  get isDone(): boolean {
    if (this.#isDone) return true;
    if (this.#functions.aio_error(this.#request.address) === EINPROGRESS) return false;
    this.#functions.aio_return(this.#request.address);
    underWay.delete(this);
    return this.#isDone = true;
  }
}
