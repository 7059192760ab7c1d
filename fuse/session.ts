/**
 * A FUSE session: mounts a {@link FileSystem}, and serves the kernel's requests one by one on the
 * thread that runs it, until the file system is unmounted.
 *
 * @module
 */

import { ERRNO, errnoOf, PbkfsError } from "../errors.ts";
import { bytesOf, type ByteString, printable } from "../ffi/bytes.ts";
import {
  FUSE_ARGS,
  FUSE_BUF,
  FUSE_BUF_SIZE_BYTES,
  LOWLEVEL_OPERATIONS,
} from "../ffi/fuse_layout.ts";
import { isRootBehind } from "../ffi/credentials.ts";
import { makeOperations, type Operations } from "../ffi/fuse_operations.ts";
import { type Layout, readField, writeField } from "../ffi/layout.ts";
import { type Fd, type Libc, systemLibc } from "../ffi/libc.ts";
import { mountingOn, unmountAt } from "../ffi/mount_point.ts";
import { type Libfuse, libfuse } from "../ffi/libfuse.ts";
import { type Address, addressOf, allocate, type NativeBuffer } from "../ffi/memory.ts";
import type { ErrorSink } from "./answers.ts";
import { type ConnectionSettings, DEFAULT_SETTINGS } from "./connection.ts";
import type { FileSystem } from "./file_system.ts";
import { makeHandlers } from "./handlers.ts";
import { completeInit } from "./init_reply.ts";
import { KIND_OF_OPCODE, Latencies } from "./latencies.ts";
import { RequestReader } from "./requests.ts";
import { OwnRequests } from "./own_requests.ts";
import type { Seeks } from "./seeks.ts";
import { outcomeText, Trace, type TraceSink } from "./trace.ts";
import { Waiting } from "./waiting.ts";

/** What other threads want of the one that runs a session. */
export interface SessionErrands {
  /** Can be read when something is wanted. */
  readonly wakeFd: Fd;
  /** Called once it could be read: takes what is there to be read. */
  woken(): void;
  /** Called between two requests: what must not wait for a quiet moment. */
  runBetween(): void;
  /** Called before the session sleeps: the kernel has asked nothing that is not answered. */
  run(): void;
  /** Whether the session is to end although the kernel has the mount. */
  readonly isEndWanted: boolean;
}

/** What to mount, and how. */
export interface SessionOptions {
  readonly fileSystem: FileSystem;
  /** An existing directory, absolute. */
  readonly mountPath: ByteString;
  /** Shown as the source of the mount. */
  readonly source: ByteString;
  /** Shown as the type of the mount, after `fuse.`. */
  readonly subtype: string;
  /** Let other users in, as far as the permissions of the files do. */
  readonly allowOther: boolean;
  /** The kernel refuses all changes, with EROFS. */
  readonly isReadOnly?: boolean;
  readonly settings?: Partial<ConnectionSettings>;
  readonly onError: ErrorSink;
  /** Where to count how long requests take. */
  readonly latencies?: Latencies;
  /** Where to show how long requests may have been waiting. */
  readonly waiting?: Waiting;
  /** Told of each request and reply; usually nobody. */
  readonly trace?: TraceSink | undefined;
  /** Without any, only the kernel ends the session. */
  readonly errands?: SessionErrands;
}

/** `struct fuse_in_header`, linux/fuse.h. */
const HEADER = { opcode: { kind: "u32", at: 4 } } as const satisfies Layout;

/** Memory that one request takes besides what is written. */
const REQUEST_HEADER_SIZE_BYTES = 4096;

/** For {@link Libc.waitReadable}. */
const FOREVER = -1;

/** A session that is to end does so when the kernel has a quiet moment; or none for so long. */
const QUIET_WAIT_MS = 10_000;

/** A mounted file system. The thread that opened it must also run it. */
export class Session {
  readonly #fuse: Libfuse;
  readonly #libc: Libc;
  readonly #session: Address;
  readonly #operations: Operations;
  readonly #requests: RequestReader;
  readonly #fileSystem: FileSystem;
  readonly #onError: ErrorSink;
  readonly #requestSizeBytesMax: number;
  readonly #clearPrivileges: boolean;
  readonly #spinMs: number;
  readonly #latencies: Latencies;
  readonly #waiting: Waiting;
  readonly #trace: Trace | undefined;
  readonly #errands: SessionErrands | undefined;
  /** The session ends though the kernel has the mount. */
  #isCutOff = false;
  #cutOffMs = Infinity;
  readonly #seeks: Seeks;
  readonly #own: OwnRequests;
  #handedOver = false;
  /** C strings that libfuse may look at for as long as the session lives. */
  readonly #arguments: unknown;
  #isInitialized = false;
  readonly #mountPath: ByteString;
  #hasRun = false;
  #isClosed = false;
  readonly #buffer: NativeBuffer = allocate(FUSE_BUF_SIZE_BYTES);

  private constructor(options: SessionOptions, fuse: Libfuse) {
    const settings = { ...DEFAULT_SETTINGS, ...options.settings };
    this.#fuse = fuse;
    this.#libc = systemLibc();
    this.#fileSystem = options.fileSystem;
    this.#mountPath = options.mountPath;
    this.#onError = options.onError;
    this.#requests = new RequestReader(fuse);
    this.#latencies = options.latencies ?? new Latencies();
    this.#latencies.begin();
    this.#waiting = options.waiting ?? new Waiting();
    this.#trace = options.trace && new Trace(options.trace);
    this.#errands = options.errands;
    this.#spinMs = settings.spinMicros / 1000;
    this.#clearPrivileges = settings.clearPrivileges;
    this.#requestSizeBytesMax = settings.transferSizeBytesMax + REQUEST_HEADER_SIZE_BYTES;
    const { handlers, seeks } = makeHandlers({
      fuse: this.#trace?.replies(fuse) ?? fuse,
      fileSystem: options.fileSystem,
      requests: this.#requests,
      settings,
      onError: options.onError,
      onHandedOver: (request) => {
        this.#handedOver = true;
        this.#trace?.handedOver(request);
      },
      onAgreed: ({ kernelKeepsTimes }) => {
        if (kernelKeepsTimes) seeks.flushThrough(fuse.fuse_session_fd(this.#session) as Fd);
      },
    });
    this.#seeks = seeks;
    this.#own = new OwnRequests({
      fileSystem: options.fileSystem,
      libc: this.#libc,
      failed: (operation, error) => {
        const errno = errnoOf(error);
        if (errno === ERRNO.EIO) options.onError(operation, error);
        return errno;
      },
      onAnswered: (errno) => this.#trace?.answered(outcomeText(errno)),
    });
    this.#operations = makeOperations(handlers);
    const args = makeArguments(mountOptions(options, settings));
    this.#arguments = args;
    const { address } = this.#operations;
    const size = LOWLEVEL_OPERATIONS.length * 8;
    this.#session = Number(fuse.fuse_session_new(args.address, address, size, 0)) as Address;
    options.fileSystem.attach?.({
      // Offset -1 stands for the attributes alone: pages stay, and nobody waits for any.
      forgetAttributes: (ino) =>
        !this.#isClosed &&
        fuse.fuse_lowlevel_notify_inval_inode(this.#session, ino, -1, 0) === 0,
    });
  }

  /**
   * Mounts. Requests wait until {@link Session.run}.
   *
   * @throws {PbkfsError} `LibraryMissing`; `MountFailed`, where libfuse has told the reason on
   * stderr.
   */
  static mount(options: SessionOptions): Session {
    const session = new Session(options, libfuse());
    const target = printable(options.mountPath);
    if (session.#session === 0) {
      session.#operations.close();
      throw mountFailed(target, "libfuse refused the session");
    }
    const mount = (path: ByteString) =>
      session.#fuse.fuse_session_mount(session.#session, bytesOf(path, 1)) === 0;
    const { mountPath } = options;
    const isMounted = isRootBehind()
      ? mountingOn(session.#libc, mountPath, mount)
      : mount(mountPath);
    if (!isMounted) {
      session.#fuse.fuse_session_destroy(session.#session);
      session.#operations.close();
      throw mountFailed(target, "libfuse could not mount");
    }
    return session;
  }

  /**
   * Serves requests until the file system is unmounted, or until an errand wants the end. It does
   * not return before that.
   */
  run(): void {
    this.#hasRun = true;
    const fd = this.#fuse.fuse_session_fd(this.#session) as Fd;
    this.#libc.setNonBlocking(fd);
    while (this.#fuse.fuse_session_exited(this.#session) === 0) {
      if (this.#errands?.isEndWanted === true) this.#noteEnd();
      if (this.#isCutOff) return;
      this.#errands?.runBetween();
      this.#doDeferred();
      this.#seeks.settle();
      const size = this.#receive(fd);
      if (size === -ERRNO.EINTR || size === -ERRNO.EAGAIN) continue;
      if (size <= 0) return;
      const memory = readField(this.#buffer.view, FUSE_BUF.mem) as Address;
      this.#requests.useMemory(memory, this.#requestSizeBytesMax);
      if (this.#isInitialized) this.#process();
      else this.#initialize(fd);
    }
  }

  /** Gives the kernel the time to send what it has, but not for ever. */
  #noteEnd(): void {
    const nowMs = performance.now();
    if (this.#cutOffMs === Infinity) this.#cutOffMs = nowMs + QUIET_WAIT_MS;
    if (nowMs >= this.#cutOffMs) this.#isCutOff = true;
  }

  /** The first request is the kernel's offer. */
  #initialize(fuseFd: Fd): void {
    const request = this.#requests.view();
    const process = () => this.#process();
    if (this.#clearPrivileges) completeInit({ libc: this.#libc, fuseFd, request, process });
    else process();
    this.#isInitialized = true;
  }

  #process(): void {
    const view = this.#requests.view();
    const kind = KIND_OF_OPCODE[readField(view, HEADER.opcode)] as number;
    this.#handedOver = false;
    this.#trace?.begin(view);
    const start = performance.now();
    if (!this.#own.serve(view, this.#fuse.fuse_session_fd(this.#session) as Fd)) {
      this.#fuse.fuse_session_process_buf(this.#session, this.#buffer.address);
    }
    // What waits for the disk is counted by the thread that answers it.
    if (!this.#handedOver) this.#latencies.add(kind, performance.now() - start);
    this.#trace?.end();
  }

  /**
   * Unmounts if that has not happened, and frees everything. The end of the descriptor aborts what
   * other mount namespaces still have; then libfuse is not told to unmount: it would unmount
   * whatever is mounted at that path by now.
   */
  close(): void {
    if (this.#arguments === undefined) return;
    this.#isClosed = true;
    this.#seeks.close();
    if (!this.#isCutOff) this.#unmount();
    this.#fuse.fuse_session_destroy(this.#session);
    this.#operations.close();
  }

  /** libfuse sees by its descriptor whether it has been unmounted already, and if not, does it. */
  #unmount(): void {
    // As root it was given a name of its own for the mount point, see `mountingOn`.
    if (!this.#hasRun && isRootBehind()) unmountAt(this.#libc, this.#mountPath, { lazy: true });
    this.#fuse.fuse_session_unmount(this.#session);
  }

  /**
   * Waits for a request, but no longer than the file system's own work can.
   *
   * It looks for a moment before it sleeps. Who reads page after page comes back at once, and to
   * be woken costs more than all the rest of a request, most of all in virtual machines.
   *
   * @returns Its size, or a negative errno; -EAGAIN if there is none.
   */
  #receive(fd: Fd): number {
    const buffer = this.#buffer.address;
    let size = this.#fuse.fuse_session_receive_buf(this.#session, buffer);
    if (size !== -ERRNO.EAGAIN) return size;
    const nowMs = performance.now();
    this.#waiting.idle(nowMs);
    const endMs = nowMs + this.#spinMs;
    while (performance.now() < endMs) {
      size = this.#fuse.fuse_session_receive_buf(this.#session, buffer);
      if (size !== -ERRNO.EAGAIN) return size;
    }
    this.#errands?.run();
    if (this.#errands?.isEndWanted === true) this.#isCutOff = true;
    else this.#sleep(fd);
    return -ERRNO.EAGAIN;
  }

  #sleep(fd: Fd): void {
    const dueMs = this.#seeks.dueMs() ?? this.#fileSystem.deferredMs();
    const timeoutMs = dueMs === undefined ? FOREVER : Math.ceil(dueMs);
    this.#waiting.asleep();
    if (this.#errands === undefined) this.#libc.waitReadable(fd, timeoutMs);
    else if (this.#libc.waitOrWake(fd, this.#errands.wakeFd, timeoutMs)) this.#errands.woken();
    this.#waiting.idle();
  }

  /** Does the file system's own work when it is due. */
  #doDeferred(): void {
    if ((this.#fileSystem.deferredMs() ?? Infinity) > 0) return;
    try {
      this.#fileSystem.doDeferred();
    } catch (error) {
      this.#onError("deferred work", error); // It waits for its next time.
    }
  }
}

function mountOptions(options: SessionOptions, settings: ConnectionSettings): string {
  const parts = [
    `fsname=${options.source.replace(/[\\,]/g, "\\$&")}`,
    `subtype=${options.subtype}`,
    "default_permissions",
    `max_read=${settings.transferSizeBytesMax}`,
  ];
  if (options.allowOther) parts.push("allow_other");
  if (options.isReadOnly === true) parts.push("ro");
  return parts.join();
}

/** A `struct fuse_args` with the mount options. It lives as long as the returned buffer. */
function makeArguments(options: string): NativeBuffer & { readonly keep: unknown } {
  const strings = ["pbkfs", "-o", options].map((text) => bytesOf(text as ByteString, 1));
  const argv = allocate((strings.length + 1) * 8);
  strings.forEach((text, index) => {
    writeField(argv.view, { kind: "u64", at: index * 8 }, addressOf(text));
  });
  const args = allocate(24);
  writeField(args.view, FUSE_ARGS.argc, strings.length);
  writeField(args.view, FUSE_ARGS.argv, argv.address);
  return { ...args, keep: [strings, argv] };
}

function mountFailed(target: string, why: string): PbkfsError {
  return new PbkfsError("MountFailed", {
    what: `Cannot mount on "${target}": ${why}`,
    todo: "See the line of libfuse or fusermount3 above; check /dev/fuse and the directory.",
  });
}
