/**
 * Turns callbacks of libfuse into calls of a {@link FileSystem}, and results into answers.
 * Every request is answered exactly once.
 *
 * @module
 */

import { ERRNO, errnoOf, PbkfsError } from "../errors.ts";
import { bytesOf, type ByteString } from "../ffi/bytes.ts";
import type { Handlers } from "../ffi/fuse_operations.ts";
import type { Libfuse } from "../ffi/libfuse.ts";
import { type Address, allocate, type NativeBuffer } from "../ffi/memory.ts";
import { type Agreement, configure, type ConnectionSettings } from "./connection.ts";
import type {
  Attributes,
  FileSystem,
  Ino,
  ListedEntry,
  Place,
  Request,
  SyncReply,
} from "./file_system.ts";
import { Replier } from "./reply.ts";
import type { RequestReader } from "./requests.ts";
import { Seeks } from "./seeks.ts";

/** A value of `whence`; the kernel asks for this or SEEK_DATA only. Source: linux/fs.h. */
const SEEK_HOLE = 4;

/** Told of an error that a request ended with, when it is not an ordinary refusal. */
export type ErrorSink = (operation: string, error: unknown) => void;

/** What a dispatcher works with. */
export interface DispatcherOptions {
  readonly fuse: Libfuse;
  readonly fileSystem: FileSystem;
  readonly requests: RequestReader;
  readonly settings: ConnectionSettings;
  readonly onError: ErrorSink;
  /** Told when another thread has taken over to answer a request. */
  readonly onHandedOver: (request: Request) => void;
  /** Told what came of the kernel's offer. */
  readonly onAgreed: (agreement: Agreement) => void;
}

/** The callbacks of a session, and what they leave to be answered later. */
export interface Dispatcher {
  readonly handlers: Handlers;
  readonly seeks: Seeks;
}

/** Makes the callbacks for a file system. They share buffers: one thread runs them. */
export function makeDispatcher(options: DispatcherOptions): Dispatcher {
  const { fuse, fileSystem, requests, settings, onError, onHandedOver, onAgreed } = options;
  const reply = new Replier(fuse);
  const readBuffer = allocate(settings.transferSizeBytesMax);
  const statvfs = allocate(256);
  let agreement: Agreement = { opensAreNeeded: true, kernelKeepsTimes: false };

  const fail = (operation: string, request: Request, error: unknown): void => {
    const errno = errnoOf(error);
    if (errno === ERRNO.EIO) onError(operation, error);
    reply.error(request, errno);
  };
  /** Runs `handle`, which answers as its last step; answers for it if it throws before. */
  const answer = (operation: string, request: Request, handle: () => void): void => {
    try {
      handle();
    } catch (error) {
      fail(operation, request, error);
    }
  };
  const failSeek = (request: Request, error: unknown) => fail("lseek", request, error);
  const seeks = new Seeks({ fuse, fileSystem, fail: failSeek });
  const place = (parent: number, name: number): Place => ({
    parent: parent as Ino,
    name: requests.name(name),
  });
  const sync = (request: Request, result: SyncReply): void => {
    if (result === "done") reply.error(request, 0);
    else onHandedOver(request);
  };
  /** Answers with attributes. */
  const attributes = (request: Request, made: Attributes, kind: "asked" | "change"): void => {
    fileSystem.telling?.(made.ino, kind);
    reply.attributes(request, made);
    fileSystem.told?.(made.ino, kind);
  };
  const entry = (request: Request, made: Attributes | undefined): void => {
    if (made !== undefined) fileSystem.telling?.(made.ino, "entry");
    reply.entry(request, made);
    if (made !== undefined) fileSystem.told?.(made.ino, "entry");
  };
  /** Bytes of a file have changed. */
  const modified = (ino: Ino): void => {
    if (!agreement.kernelKeepsTimes) fileSystem.setAttributes(ino, { modified: "now" });
  };
  const list = (withAttributes: boolean) =>
  (
    ...[request, ino, roomBytes, cookie]: number[]
  ): void => {
    answer("readdir", request as Request, () => {
      reply.listing(request as Request, fileSystem.list(ino as Ino, cookie as number), {
        roomBytes: roomBytes as number,
        attributesOf: withAttributes ? attributesOf : undefined,
        // A listing with attributes counts as a lookup of each name.
        listed: (entry) => fileSystem.remember(entry.ino),
      });
    });
  };
  /** One damaged file must not hide the others: without attributes, the kernel looks it up. */
  const attributesOf = ({ name, ino }: ListedEntry): Attributes | undefined => {
    if (name === "." || name === ".." || fileSystem.mustAsk?.(ino) === true) return undefined;
    try {
      return fileSystem.getAttributes(ino);
    } catch {
      return undefined;
    }
  };

  const handlers = {
    init(_userdata: number, connection: number) {
      try {
        agreement = configure(connection as Address, settings);
        onAgreed(agreement);
      } catch (error) {
        onError("init", error);
      }
    },
    lookup(request: Request, parent: number, name: number) {
      answer("lookup", request, () => {
        entry(request, fileSystem.lookup(place(parent, name)));
      });
    },
    forget(request: Request, ino: number, count: number) {
      try {
        fileSystem.forget(ino as Ino, count);
      } catch (error) {
        onError("forget", error);
      }
      reply.nothing(request);
    },
    getattr(request: Request, ino: number) {
      answer("getattr", request, () => {
        if (requests.isForOpenFile()) fileSystem.mayWrite?.(ino as Ino);
        attributes(request, fileSystem.getAttributes(ino as Ino), "asked");
      });
    },
    setattr(request: Request, ino: number, wanted: number, which: number) {
      answer("setattr", request, () => {
        const change = requests.attributeChange(wanted, which);
        attributes(request, fileSystem.setAttributes(ino as Ino, change), "change");
      });
    },
    readlink(request: Request, ino: number) {
      answer("readlink", request, () => reply.link(request, fileSystem.readLink(ino as Ino)));
    },
    mknod(request: Request, parent: number, name: number, mode: number, rdev: number) {
      answer("mknod", request, () => {
        const node = { mode, rdev, caller: requests.caller(request) };
        entry(request, fileSystem.makeNode(place(parent, name), node));
      });
    },
    mkdir(request: Request, parent: number, name: number, mode: number) {
      answer("mkdir", request, () => {
        const node = { mode, rdev: 0, caller: requests.caller(request) };
        reply.entry(request, fileSystem.makeDirectory(place(parent, name), node));
      });
    },
    unlink(request: Request, parent: number, name: number) {
      answer("unlink", request, () => {
        fileSystem.unlink(place(parent, name));
        reply.error(request, 0);
      });
    },
    rmdir(request: Request, parent: number, name: number) {
      answer("rmdir", request, () => {
        fileSystem.removeDirectory(place(parent, name));
        reply.error(request, 0);
      });
    },
    symlink(request: Request, target: number, parent: number, name: number) {
      answer("symlink", request, () => {
        const caller = requests.caller(request);
        const made = fileSystem.makeSymlink(place(parent, name), requests.name(target), caller);
        reply.entry(request, made);
      });
    },
    rename(
      request: Request,
      parent: number,
      name: number,
      newParent: number,
      newName: number,
      flags: number,
    ) {
      answer("rename", request, () => {
        fileSystem.rename(place(parent, name), place(newParent, newName), flags);
        reply.error(request, 0);
      });
    },
    link(request: Request, ino: number, newParent: number, newName: number) {
      answer("link", request, () => {
        const made = fileSystem.link(ino as Ino, place(newParent, newName));
        reply.entry(request, made);
        fileSystem.told?.(made.ino, "change");
      });
    },
    open(request: Request) {
      // ENOSYS here means "do not ask again, opening always succeeds", which saves a round trip
      // for every open and close. Only kernels that offer it understand it so.
      if (agreement.opensAreNeeded) reply.opened(request);
      else reply.error(request, ERRNO.ENOSYS);
    },
    opendir(request: Request) {
      if (agreement.opensAreNeeded) reply.opened(request);
      else reply.error(request, ERRNO.ENOSYS);
    },
    read(request: Request, ino: number, sizeBytes: number, offsetBytes: number) {
      answer("read", request, () => {
        const range = { offsetBytes, sizeBytes: Math.min(sizeBytes, readBuffer.sizeBytes) };
        const done = fileSystem.read(ino as Ino, range, readBuffer, request);
        if (done === "handedOver") onHandedOver(request);
        else reply.bytes(request, readBuffer.address, done);
      });
    },
    write(request: Request, ino: number, from: number, sizeBytes: number, offsetBytes: number) {
      answer("write", request, () => {
        const range = { offsetBytes, sizeBytes };
        const isAccepted = requests.writeIsFromCache();
        try {
          exact(offsetBytes);
          fileSystem.write(ino as Ino, from as Address, range, { isAccepted });
        } catch (error) {
          if (isAccepted) fileSystem.lose?.(ino as Ino, range, errnoOf(error));
          throw error;
        }
        if (requests.writeClearsPrivileges()) fileSystem.clearPrivileges(ino as Ino);
        modified(ino as Ino);
        reply.written(request, sizeBytes);
      });
    },
    fsync(request: Request, ino: number, dataOnly: number) {
      answer("fsync", request, () => {
        const options = { dataOnly: dataOnly !== 0, pid: requests.pid() };
        sync(request, fileSystem.sync(ino as Ino, request, options));
      });
    },
    fsyncdir(request: Request, ino: number) {
      answer("fsyncdir", request, () => {
        sync(request, fileSystem.syncDirectory(ino as Ino, request));
      });
    },
    readdir: list(false),
    readdirplus: list(true),
    statfs(request: Request) {
      answer("statfs", request, () => {
        fileSystem.status(statvfs);
        reply.status(request, statvfs.address);
      });
    },
    setxattr(
      request: Request,
      ino: number,
      name: number,
      value: number,
      sizeBytes: number,
      flags: number,
    ) {
      answer("setxattr", request, () => {
        const attribute = { name: requests.name(name), value: requests.bytes(value, sizeBytes) };
        fileSystem.setExtendedAttribute(ino as Ino, attribute, flags);
        reply.error(request, 0);
      });
    },
    getxattr(request: Request, ino: number, name: number, roomBytes: number) {
      answer("getxattr", request, () => {
        const value = fileSystem.getExtendedAttribute(ino as Ino, requests.name(name));
        if (value === undefined) reply.error(request, ERRNO.ENODATA);
        else sendValue(request, value, roomBytes);
      });
    },
    listxattr(request: Request, ino: number, roomBytes: number) {
      answer("listxattr", request, () => {
        const names = fileSystem.listExtendedAttributes(ino as Ino);
        const value = bytesOf(names.map((name) => name + "\0").join("") as ByteString);
        sendValue(request, value, roomBytes);
      });
    },
    removexattr(request: Request, ino: number, name: number) {
      answer("removexattr", request, () => {
        fileSystem.removeExtendedAttribute(ino as Ino, requests.name(name));
        reply.error(request, 0);
      });
    },
    create(request: Request, parent: number, name: number, mode: number) {
      answer("create", request, () => {
        const node = { mode, rdev: 0, caller: requests.caller(request) };
        const made = fileSystem.makeNode(place(parent, name), node);
        reply.created(request, made);
        fileSystem.told?.(made.ino, "change");
      });
    },
    fallocate(request: Request, ino: number, mode: number, at: number, sizeBytes: number) {
      answer("fallocate", request, () => {
        const range = { offsetBytes: exact(at), sizeBytes: exact(sizeBytes) };
        fileSystem.allocate(ino as Ino, mode, range);
        // Here the kernel leaves it to us to know who may keep them: whoever has CAP_FSETID.
        if (requests.caller(request).uid !== 0) fileSystem.clearPrivileges(ino as Ino);
        modified(ino as Ino);
        reply.error(request, 0);
      });
    },
    lseek(request: Request, ino: number, at: number, whence: number) {
      answer("lseek", request, () => {
        const what = whence === SEEK_HOLE ? "hole" : "data";
        if (seeks.seek(request, ino as Ino, at, what)) onHandedOver(request);
      });
    },
  };

  const sendValue = (request: Request, value: Uint8Array<ArrayBuffer>, roomBytes: number): void => {
    const buffer: NativeBuffer = allocate(value.length);
    buffer.bytes.set(value);
    const sent = reply.value(request, buffer, roomBytes);
    if (sent === "tooLarge") reply.error(request, ERRNO.ERANGE);
  };

  return { handlers: handlers as unknown as Handlers, seeks };
}

/**
 * A place in a file that may be changed.
 *
 * @throws {PbkfsError} EFBIG for one beyond 2^53, which was rounded when it became a number.
 */
function exact(bytes: number): number {
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new PbkfsError("Io", { what: "No file can be that long", errno: ERRNO.EFBIG });
}
