/**
 * The thread that commits. See `worker_committer.ts`.
 *
 * @module
 */

import { toPbkfsError } from "../../errors.ts";
import { clockMs, Latencies, replyError, type Request, REQUEST_KINDS } from "../../fuse/mod.ts";
import { type Begun, serveThread, tell } from "../../threads/mod.ts";
import type { WorkerNews } from "../shared/worker_news.ts";
import { promised } from "../store/metadata_store.ts";
import { buffersOfState, type PackedState } from "../store/stored_state.ts";
import { CommitRing } from "./commit_ring.ts";
import type { CommitContext } from "./committer.ts";
import { openContext } from "./open_context.ts";
import { serveCommits } from "./serve_commits.ts";
import type { CommitWorkerSetup } from "./worker_committer.ts";

/** When jobs came that a request waits for. */
const since = new Map<Request, number>();
const SYNC = REQUEST_KINDS.indexOf("sync");

serveThread({
  // All of it is imported.
  load: () => Promise.resolve(),
  async begin(setup: CommitWorkerSetup): Promise<Begun<PackedState>> {
    const ring = new CommitRing(setup.shared);
    const opened = openContext({
      ...setup,
      reply: replier(setup),
      onError: report,
      onFailure: () => ring.failed(),
    });
    const context = { ...opened, store: promised(opened.store) };
    const ready = await context.store.loadPacked();
    serveCommits(setup, context, ({ request }, submittedAt) => {
      if (request !== undefined) since.set(request, submittedAt);
    });
    return { ready, transfer: buffersOfState(ready) };
  },
});

/** Answers the kernel, and counts how long it waited. */
function replier({ latencies, tracing }: CommitWorkerSetup): CommitContext["reply"] {
  const times = new Latencies(latencies);
  times.begin();
  return (request, errno) => {
    const start = since.get(request);
    since.delete(request);
    replyError(request, errno);
    if (start !== undefined) times.add(SYNC, Math.max(0, clockMs() - start));
    if (tracing === true) tell<WorkerNews>({ replied: { request, errno } });
  };
}

function report(what: string, error: unknown): void {
  tell<WorkerNews>({ problem: { what, error: toPbkfsError(error).toJSON() } });
}
