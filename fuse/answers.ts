/**
 * The part that all handlers have in common: they answer a request as their last step, and tell the
 * file system what the kernel learns by an answer.
 *
 * @module
 */

import { ERRNO, errnoOf } from "../errors.ts";
import type { Libfuse } from "../ffi/libfuse.ts";
import type { Agreement } from "./connection.ts";
import type { Attributes, FileSystem, Ino, Place, Request, SyncReply } from "./file_system.ts";
import { Replier } from "./reply.ts";
import type { RequestReader } from "./requests.ts";

/** Told of an error that a request ended with, when it is not an ordinary refusal. */
export type ErrorSink = (operation: string, error: unknown) => void;

/** What is needed to answer. */
export interface AnswersOptions {
  readonly fuse: Libfuse;
  readonly fileSystem: FileSystem;
  readonly requests: RequestReader;
  readonly onError: ErrorSink;
  /** Told when another thread has taken over to answer a request. */
  readonly onHandedOver: (request: Request) => void;
}

/** What handlers share. */
export interface Answers extends Omit<AnswersOptions, "fuse"> {
  readonly reply: Replier;
  /** What holds with the kernel; nothing, until it has made its offer. */
  agreement: Agreement;
  /** Answers with the errno of an error. */
  readonly fail: (operation: string, request: Request, error: unknown) => void;
  /** Runs `handle`, which answers as its last step; answers for it if it throws before. */
  readonly answer: (operation: string, request: Request, handle: () => void) => void;
  readonly place: (parent: Ino, name: number) => Place;
  /** Answers a sync, unless another thread will. */
  readonly sync: (request: Request, result: SyncReply) => void;
  /** Answers with attributes. */
  readonly attributes: (request: Request, made: Attributes, kind: "asked" | "change") => void;
  /** Answers with what a name stands for, if there is such a name. */
  readonly entry: (request: Request, made: Attributes | undefined) => void;
  /** Bytes of a file have changed. */
  readonly modified: (ino: Ino) => void;
}

/** Makes what handlers share: functions, since each request passes some of them. */
export function makeAnswers(options: AnswersOptions): Answers {
  const { fuse, fileSystem, requests, onError, onHandedOver } = options;
  const reply = new Replier(fuse);
  const fail = (operation: string, request: Request, error: unknown): void => {
    const errno = errnoOf(error);
    if (errno === ERRNO.EIO) onError(operation, error);
    reply.error(request, errno);
  };
  const answers: Answers = {
    ...{ fileSystem, requests, onError, onHandedOver, reply, fail },
    agreement: { opensAreNeeded: true, kernelKeepsTimes: false },
    answer: (operation, request, handle) => {
      try {
        handle();
      } catch (error) {
        fail(operation, request, error);
      }
    },
    place: (parent, name) => ({ parent, name: requests.name(name) }),
    sync: (request, result) => {
      if (result === "done") reply.error(request, 0);
      else onHandedOver(request);
    },
    attributes: (request, made, kind) => {
      fileSystem.telling?.(made.ino, kind);
      reply.attributes(request, made);
      fileSystem.told?.(made.ino, kind);
    },
    entry: (request, made) => {
      if (made !== undefined) fileSystem.telling?.(made.ino, "entry");
      reply.entry(request, made);
      if (made !== undefined) fileSystem.told?.(made.ino, "entry");
    },
    modified: (ino) => {
      if (!answers.agreement.kernelKeepsTimes) fileSystem.setAttributes(ino, { modified: "now" });
    },
  };
  return answers;
}
