/**
 * Answers what concerns the bytes of files.
 *
 * @module
 */

import { ERRNO, errnoOf, PbkfsError } from "../errors.ts";
import type { Handlers } from "../ffi/fuse_operations.ts";
import { type Address, allocate } from "../ffi/memory.ts";
import type { Answers } from "./answers.ts";
import type { Ino, Request } from "./file_system.ts";
import type { Seeks } from "./seeks.ts";

/** A value of `whence`; the kernel asks for this or SEEK_DATA only. Source: linux/fs.h. */
const SEEK_HOLE = 4;

/** Makes the callbacks that read bytes, write them, and bring them to disk. */
export function bytesHandlers(answers: Answers, transferSizeBytesMax: number) {
  const { fileSystem, requests, reply, answer, sync, modified, onHandedOver } = answers;
  const readBuffer = allocate(transferSizeBytesMax);
  return {
    read(request: Request, ino: Ino, sizeBytes: number, offsetBytes: number) {
      answer("read", request, () => {
        const range = { offsetBytes, sizeBytes: Math.min(sizeBytes, readBuffer.sizeBytes) };
        const done = fileSystem.read(ino, range, readBuffer, request);
        if (done === "handedOver") onHandedOver(request);
        else reply.bytes(request, readBuffer.address, done);
      });
    },
    write(request: Request, ino: Ino, from: Address, sizeBytes: number, offsetBytes: number) {
      answer("write", request, () => {
        const range = { offsetBytes, sizeBytes };
        const isAccepted = requests.writeIsFromCache();
        try {
          exact(offsetBytes);
          fileSystem.write(ino, from, range, { isAccepted });
        } catch (error) {
          if (isAccepted) fileSystem.lose?.(ino, range, errnoOf(error));
          throw error;
        }
        if (requests.writeClearsPrivileges()) fileSystem.clearPrivileges(ino);
        modified(ino);
        reply.written(request, sizeBytes);
      });
    },
    fsync(request: Request, ino: Ino, dataOnly: number) {
      answer("fsync", request, () => {
        const options = { dataOnly: dataOnly !== 0, pid: requests.pid() };
        sync(request, fileSystem.sync(ino, request, options));
      });
    },
    fsyncdir(request: Request, ino: Ino) {
      answer("fsyncdir", request, () => {
        sync(request, fileSystem.syncDirectory(ino, request));
      });
    },
  } satisfies Partial<Handlers>;
}

/** Makes the callbacks that tell or change where a file has bytes. */
export function placesHandlers(answers: Answers, seeks: Seeks) {
  const { fileSystem, requests, reply, answer, modified, onHandedOver } = answers;
  return {
    fallocate(request: Request, ino: Ino, mode: number, at: number, sizeBytes: number) {
      answer("fallocate", request, () => {
        const range = { offsetBytes: exact(at), sizeBytes: exact(sizeBytes) };
        fileSystem.allocate(ino, mode, range);
        // Here the kernel leaves it to us to know who may keep them: whoever has CAP_FSETID.
        if (requests.caller(request).uid !== 0) fileSystem.clearPrivileges(ino);
        modified(ino);
        reply.error(request, 0);
      });
    },
    lseek(request: Request, ino: Ino, at: number, whence: number) {
      answer("lseek", request, () => {
        const what = whence === SEEK_HOLE ? "hole" : "data";
        if (seeks.seek(request, ino, at, what)) onHandedOver(request);
      });
    },
  } satisfies Partial<Handlers>;
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
