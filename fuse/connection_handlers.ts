/**
 * Answers what concerns the connection: the kernel's offer, and opening, which the kernel leaves
 * out if that is agreed.
 *
 * @module
 */

import { ERRNO } from "../errors.ts";
import type { Handlers } from "../ffi/fuse_operations.ts";
import { type Address, allocate } from "../ffi/memory.ts";
import type { Answers } from "./answers.ts";
import { type Agreement, configure, type ConnectionSettings } from "./connection.ts";
import type { Request } from "./file_system.ts";

/** Makes the callbacks that concern the connection, and the file system as a whole. */
export function connectionHandlers(
  answers: Answers,
  { settings, onAgreed }: {
    readonly settings: ConnectionSettings;
    readonly onAgreed: (agreement: Agreement) => void;
  },
) {
  const { fileSystem, reply, answer, onError } = answers;
  const statvfs = allocate(256);
  // ENOSYS means "do not ask again, opening always succeeds", which saves a round trip for every
  // open and close. Only kernels that offer it understand it so.
  const opened = (request: Request): void => {
    if (answers.agreement.opensAreNeeded) reply.opened(request);
    else reply.error(request, ERRNO.ENOSYS);
  };
  return {
    init(_userdata: number, connection: Address) {
      try {
        answers.agreement = configure(connection, settings);
        onAgreed(answers.agreement);
      } catch (error) {
        onError("init", error);
      }
    },
    open: opened,
    opendir: opened,
    statfs(request: Request) {
      answer("statfs", request, () => {
        fileSystem.status(statvfs);
        reply.status(request, statvfs.address);
      });
    },
  } satisfies Partial<Handlers>;
}
