/**
 * A thread that reads and decompresses what would keep the dispatcher waiting, and answers the
 * kernel itself. See `read_pool.ts`.
 *
 * @module
 */

import { loadCodecs, newCounters, PieceReader } from "../backup/mod.ts";
import { errnoOf, toPbkfsError } from "../errors.ts";
import { Faults } from "../ffi/faulty_libc.ts";
import { systemLibc } from "../ffi/libc.ts";
import { clockMs, Latencies, replyBytes, replyError, REQUEST_KINDS } from "../fuse/mod.ts";
import { OverlayCounters } from "./counters.ts";
import type { ReadWorkerSetup } from "./read_pool.ts";
import { type FinishedRead, type QueuedPart, ReadQueue } from "./read_queue.ts";
import type { Reply, WorkerNews } from "./worker_news.ts";

const READ = REQUEST_KINDS.indexOf("read");

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ReadWorkerSetup>) => void;
  postMessage(
    message: { readonly ready: true } | { readonly failed: unknown } | WorkerNews,
  ): void;
};

scope.onmessage = async ({ data }) => {
  try {
    const work = await prepare(data);
    scope.postMessage({ ready: true });
    work();
  } catch (error) {
    scope.postMessage({ failed: toPbkfsError(error).toJSON() });
  }
};

async function prepare(setup: ReadWorkerSetup): Promise<() => void> {
  const libc = new Faults(setup.faults).libc(systemLibc());
  const queue = new ReadQueue(setup.queue);
  const counters = newCounters();
  const codecs = await loadCodecs({ system: setup.systemCodecs });
  const shared = new OverlayCounters(setup.counters);
  const reader = new PieceReader({ libc, codecs, counters });
  const latencies = new Latencies(setup.latencies);
  const tell = (reply: Reply) => {
    if (setup.tracing === true) scope.postMessage({ replied: reply });
  };
  const answer = ({ request, errno, address, sizeBytes }: FinishedRead): void => {
    if (errno !== 0) replyError(request, errno);
    else replyBytes(request, address, sizeBytes);
    tell(errno !== 0 ? { request, errno } : { request, errno, sizeBytes });
  };
  const serve = (part: QueuedPart): void => {
    const errno = carryOut(part, reader);
    shared.takeOver(counters);
    const finished = queue.finish(part, errno);
    if (finished === undefined) return;
    try {
      answer(finished);
    } finally {
      latencies.add(READ, clockMs() - finished.submittedAt);
      for (const fd of finished.fds) libc.close(fd);
      queue.release(part);
    }
  };
  return () => {
    for (let part = queue.take(); part !== undefined; part = queue.take()) serve(part);
  };
}

/** @returns 0, or the errno that it failed with. */
function carryOut({ pieces, target, offsetBytes }: QueuedPart, reader: PieceReader): number {
  try {
    reader.read(pieces, target, offsetBytes);
    return 0;
  } catch (error) {
    report(error);
    return errnoOf(error);
  }
}

function report(error: unknown): void {
  scope.postMessage({ problem: { what: "read", error: toPbkfsError(error).toJSON() } });
}
