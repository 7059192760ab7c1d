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
import { allocate } from "../ffi/memory.ts";
import { clockMs, Latencies, replyBytes, replyError, REQUEST_KINDS } from "../fuse/mod.ts";
import { OverlayCounters } from "./counters.ts";
import type { ReadWorkerSetup } from "./read_pool.ts";
import { type QueuedRead, ReadQueue } from "./read_queue.ts";
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
  const shared = new OverlayCounters(setup.counters);
  const reader = new PieceReader({ libc, codecs: await loadCodecs(), counters });
  const target = allocate(setup.readSizeBytesMax);
  const latencies = new Latencies(setup.latencies);
  const tell = (reply: Reply) => {
    if (setup.tracing === true) scope.postMessage({ replied: reply });
  };
  const serve = ({ request, pieces, fds, submittedAt }: QueuedRead): void => {
    try {
      const size = reader.read(pieces, target);
      replyBytes(request, target.address, size);
      tell({ request, errno: 0, sizeBytes: size });
    } catch (error) {
      report(error);
      replyError(request, errnoOf(error));
      tell({ request, errno: errnoOf(error) });
    } finally {
      latencies.add(READ, clockMs() - submittedAt);
      for (const fd of fds) libc.close(fd);
      shared.takeOver(counters);
      queue.done();
    }
  };
  return () => {
    for (let read = queue.take(); read !== undefined; read = queue.take()) serve(read);
  };
}

function report(error: unknown): void {
  scope.postMessage({ problem: { what: "read", error: toPbkfsError(error).toJSON() } });
}
