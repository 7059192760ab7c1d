/**
 * The thread that commits. See `worker_committer.ts`.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { clockMs, Latencies, replyError, type Request, REQUEST_KINDS } from "../fuse/mod.ts";
import { CommitIntake } from "./commit_intake.ts";
import { CommitRing } from "./commit_ring.ts";
import { type CommitContext, runJobs } from "./committer.ts";
import { openContext } from "./open_context.ts";
import { buffersOfState } from "./stored_state.ts";
import type {
  CommitWorkerAnswer,
  CommitWorkerMessage,
  CommitWorkerSetup,
} from "./worker_committer.ts";
import { answerLoad, isLoadRequest, type Loaded, type LoadRequest } from "./worker_loading.ts";
import type { WorkerNews } from "./worker_news.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LoadRequest | CommitWorkerSetup>) => void;
  postMessage(
    message: Loaded | CommitWorkerAnswer | WorkerNews,
    transfer?: Transferable[],
  ): void;
};

let ring: CommitRing;
let context: CommitContext;
/** When jobs came that a request waits for. */
const since = new Map<Request, number>();
const SYNC = REQUEST_KINDS.indexOf("sync");

scope.onmessage = ({ data }) => {
  if (!isLoadRequest(data)) begin(data);
  else void answerLoad(() => Promise.resolve(), (done) => scope.postMessage(done));
};

function begin(setup: CommitWorkerSetup): void {
  try {
    ring = new CommitRing(setup.shared);
    context = openContext({
      ...setup,
      reply: replier(setup),
      onError: report,
      onFailure: () => ring.failed(),
    });
    const intake = new CommitIntake(ring, (jobs) => runJobs(jobs, context));
    setup.port.onmessage = ({ data }: MessageEvent<CommitWorkerMessage>) => {
      if (!("job" in data)) return end(setup.port);
      const { job, submittedAt } = data;
      if (job.request !== undefined) since.set(job.request, submittedAt);
      intake.take(job);
    };
    const state = context.store.loadPacked();
    scope.postMessage({ state }, buffersOfState(state));
  } catch (error) {
    scope.postMessage({ error: toPbkfsError(error).toJSON() });
  }
}

function end(port: MessagePort): void {
  context.libc.close(context.dataDirectoryFd);
  context.store.close();
  port.close();
  ring.closed();
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
