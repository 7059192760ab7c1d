/**
 * The thread that commits. See `worker_committer.ts`.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { replyError } from "../fuse/mod.ts";
import { type CommitContext, type CommitJob, runJobs } from "./committer.ts";
import { SqliteStore } from "./sqlite_store.ts";
import {
  CommitRing,
  type CommitWorkerMessage,
  type CommitWorkerSetup,
} from "./worker_committer.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<CommitWorkerMessage>) => void;
  postMessage(message: unknown): void;
};

let ring: CommitRing;
let context: CommitContext;
const waiting: CommitJob[] = [];

scope.onmessage = ({ data }) => {
  if ("setup" in data) begin(data.setup);
  else if ("job" in data) take(data.job);
  else end();
};

function begin(setup: CommitWorkerSetup): void {
  try {
    const libc = systemLibc();
    ring = new CommitRing(setup.shared);
    context = {
      store: new SqliteStore(setup.storePath),
      libc,
      dataDirectory: setup.dataDirectory,
      dataDirectoryFd: libc.open(setup.dataDirectory, OPEN.readOnly | OPEN.directory),
      reply: replyError,
      onError: report,
      failedEpoch: 0,
      failedErrno: 0,
    };
    scope.postMessage("ready");
  } catch (error) {
    scope.postMessage(toPbkfsError(error).toJSON());
  }
}

/** Waits for jobs that have been submitted meanwhile: one commit is enough for all of them. */
function take(job: CommitJob): void {
  waiting.push(job);
  if (ring.submitted > job.sequence) return;
  for (const outcome of runJobs(waiting.splice(0), context)) ring.complete(outcome);
}

function end(): void {
  context.libc.close(context.dataDirectoryFd);
  context.store.close();
  ring.closed();
}

function report(what: string, error: unknown): void {
  const text = `pbkfs: ${what} failed: ${toPbkfsError(error).message}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
