/**
 * A thread that reads and decompresses what would keep the dispatcher waiting, and answers the
 * kernel itself. See `read_pool.ts`.
 *
 * @module
 */

import { loadCodecs, newStoreCounters, PieceReader } from "../../backup/mod.ts";
import { toPbkfsError } from "../../errors.ts";
import { servingLibc } from "../../ffi/serving_libc.ts";
import { clockMs, Latencies, replyBytes, replyError, REQUEST_KINDS } from "../../fuse/mod.ts";
import { type Begun, serveThread, tell } from "../../threads/mod.ts";
import { OverlayCounters } from "../shared/counters.ts";
import type { WorkerNews } from "../shared/worker_news.ts";
import type { CodecsToLoad, ReadWorkerSetup } from "./read_pool.ts";
import { ReadQueue } from "./read_queue.ts";
import { serveReads } from "./serve_reads.ts";

const READ = REQUEST_KINDS.indexOf("read");

serveThread({
  load: ({ systemCodecs }: CodecsToLoad) => loadCodecs({ system: systemCodecs }),
  async begin(setup: ReadWorkerSetup): Promise<Begun<true>> {
    const libc = servingLibc();
    const queue = new ReadQueue(setup.queue);
    const counters = newStoreCounters();
    const codecs = await loadCodecs({ system: setup.systemCodecs });
    const shared = new OverlayCounters(setup.counters);
    const reader = new PieceReader({ libc, codecs, counters });
    const latencies = new Latencies(setup.latencies);
    latencies.begin();
    const run = () =>
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
          tell<WorkerNews>({ replied });
        },
        onError: report,
      });
    return { ready: true, run };
  },
});

function report(error: unknown): void {
  tell<WorkerNews>({ problem: { what: "read", error: toPbkfsError(error).toJSON() } });
}
