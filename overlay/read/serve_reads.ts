/**
 * The loop of a read worker: it takes parts of reads, reads them, answers the kernel when a read is
 * complete, and goes on, whatever happens, until the queue is closed.
 *
 * @module
 */

import type { PieceReader } from "../../backup/mod.ts";
import { errnoOf } from "../../errors.ts";
import type { Fd } from "../../ffi/libc.ts";
import type { Address } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import type { FinishedRead } from "./read_jobs.ts";
import type { QueuedPart, ReadQueue } from "./read_queue.ts";

/** What serving needs. */
export interface ReadService {
  readonly queue: Pick<ReadQueue, "take" | "finish" | "release">;
  readonly reader: Pick<PieceReader, "read">;
  /** How the kernel is answered; each request once. */
  readonly answers: {
    bytes(request: Request, from: Address, sizeBytes: number): void;
    error(request: Request, errno: number): void;
  };
  close(fd: Fd): void;
  /** A part has been read. */
  onPart(): void;
  /** A read was answered. */
  onAnswered(read: FinishedRead): void;
  onError(error: unknown): void;
}

/**
 * Serves until the queue is closed.
 *
 * A part that turns out to belong to no read that is under way is told of, and nobody is answered:
 * whoever it was for has an answer, or will get it from those that are right.
 */
export function serveReads(service: ReadService): void {
  for (;;) {
    try {
      const part = service.queue.take();
      if (part === undefined) return;
      servePart(part, service);
    } catch (error) {
      service.onError(error);
    }
  }
}

function servePart(part: QueuedPart, service: ReadService): void {
  const { queue, onError } = service;
  const errno = carryOut(part, service);
  const finished = queue.finish(part, errno);
  if (finished === undefined) return;
  const attempt = (body: () => void) => {
    try {
      body();
    } catch (error) {
      onError(error);
    }
  };
  attempt(() => answer(finished, service));
  attempt(() => service.onAnswered(finished));
  for (const fd of finished.fds) attempt(() => service.close(fd));
  queue.release(part);
}

/** @returns 0, or the errno that it failed with. */
function carryOut({ pieces, target, offsetBytes }: QueuedPart, service: ReadService): number {
  try {
    service.reader.read(pieces, target, offsetBytes);
    service.onPart();
    return 0;
  } catch (error) {
    service.onError(error);
    return errnoOf(error);
  }
}

function answer({ request, errno, address, sizeBytes }: FinishedRead, service: ReadService): void {
  if (errno !== 0) service.answers.error(request, errno);
  else service.answers.bytes(request, address, sizeBytes);
}
