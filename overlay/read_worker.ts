/**
 * A thread that reads and decompresses what would keep the dispatcher waiting, and answers the
 * kernel itself. See `read_pool.ts`.
 *
 * @module
 */

import { loadCodecs, newCounters, PieceReader } from "../backup/mod.ts";
import { toPbkfsError } from "../errors.ts";
import { Faults } from "../ffi/faulty_libc.ts";
import { systemLibc } from "../ffi/libc.ts";
import { clockMs, Latencies, replyBytes, replyError, REQUEST_KINDS } from "../fuse/mod.ts";
import { OverlayCounters } from "./counters.ts";
import type { ReadWorkerSetup } from "./read_pool.ts";
import { ReadQueue } from "./read_queue.ts";
import { serveReads } from "./serve_reads.ts";
import { answerLoad, isLoadRequest, type Loaded, type LoadRequest } from "./worker_loading.ts";
import type { WorkerNews } from "./worker_news.ts";

const READ = REQUEST_KINDS.indexOf("read");

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LoadRequest | ReadWorkerSetup>) => void;
  postMessage(
    message: Loaded | { readonly ready: true } | { readonly failed: unknown } | WorkerNews,
  ): void;
};

scope.onmessage = async ({ data }) => {
  if (isLoadRequest(data)) {
    const { systemCodecs } = data.load;
    return answerLoad(
      () => loadCodecs({ system: systemCodecs }),
      (done) => scope.postMessage(done),
    );
  }
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
  latencies.begin();
  return () =>
    serveReads({
      queue,
      reader,
      answers: { bytes: replyBytes, error: replyError },
      close: (fd) => libc.close(fd),
      onPart: () => shared.takeOver(counters),
      onAnswered({ request, errno, sizeBytes, submittedAt }) {
        latencies.add(READ, clockMs() - submittedAt);
        if (setup.tracing !== true) return;
        const replied = errno !== 0 ? { request, errno } : { request, errno, sizeBytes };
        scope.postMessage({ replied });
      },
      onError: report,
    });
}

function report(error: unknown): void {
  scope.postMessage({ problem: { what: "read", error: toPbkfsError(error).toJSON() } });
}
