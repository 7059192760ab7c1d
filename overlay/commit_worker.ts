/**
 * The thread that commits. See `worker_committer.ts`.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { clockMs, Latencies, replyError, type Request, REQUEST_KINDS } from "../fuse/mod.ts";
import { CommitRing } from "./commit_ring.ts";
import type { CommitContext } from "./committer.ts";
import { promised } from "./metadata_store.ts";
import { openContext } from "./open_context.ts";
import { serveCommits } from "./serve_commits.ts";
import { buffersOfState } from "./stored_state.ts";
import type { CommitWorkerAnswer, CommitWorkerSetup } from "./worker_committer.ts";
import { answerLoad, isLoadRequest, type Loaded, type LoadRequest } from "./worker_loading.ts";
import type { WorkerNews } from "./worker_news.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LoadRequest | CommitWorkerSetup>) => void;
  postMessage(
    message: Loaded | CommitWorkerAnswer | WorkerNews,
    transfer?: Transferable[],
  ): void;
};

/** When jobs came that a request waits for. */
const since = new Map<Request, number>();
const SYNC = REQUEST_KINDS.indexOf("sync");

scope.onmessage = ({ data }) => {
  if (!isLoadRequest(data)) void begin(data);
  else void answerLoad(() => Promise.resolve(), (done) => scope.postMessage(done));
};

async function begin(setup: CommitWorkerSetup): Promise<void> {
  try {
    const ring = new CommitRing(setup.shared);
    const opened = openContext({
      ...setup,
      reply: replier(setup),
      onError: report,
      onFailure: () => ring.failed(),
    });
    const context = { ...opened, store: promised(opened.store) };
    const state = await context.store.loadPacked();
    serveCommits(setup, context, ({ request }, submittedAt) => {
      if (request !== undefined) since.set(request, submittedAt);
    });
    scope.postMessage({ state }, buffersOfState(state));
  } catch (error) {
    scope.postMessage({ error: toPbkfsError(error).toJSON() });
  }
}

/** Answers the kernel, and counts how long it waited. */
function replier({ latencies, tracing }: CommitWorkerSetup): CommitContext["reply"] {
  const times = new Latencies(latencies);
  times.begin();
  return (request, errno) => {
    const start = since.get(request);
    since.delete(request);
    replyError(request, errno);
    if (start !== undefined) times.add(SYNC, Math.max(0, clockMs() - start));
    if (tracing === true) scope.postMessage({ replied: { request, errno } });
  };
}

function report(what: string, error: unknown): void {
  scope.postMessage({ problem: { what, error: toPbkfsError(error).toJSON() } });
}
