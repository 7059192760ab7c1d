/**
 * The thread that commits. See `worker_committer.ts`.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { replyError } from "../fuse/mod.ts";
import { type CommitContext, type CommitJob, makeContext, runJobs } from "./committer.ts";
import { SqliteStore } from "./sqlite_store.ts";
import {
  CommitRing,
  type CommitWorkerAnswer,
  type CommitWorkerMessage,
  type CommitWorkerSetup,
} from "./worker_committer.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<CommitWorkerSetup>) => void;
  postMessage(message: CommitWorkerAnswer): void;
};

let ring: CommitRing;
let context: CommitContext;
const waiting: CommitJob[] = [];

scope.onmessage = ({ data }) => begin(data);

function begin(setup: CommitWorkerSetup): void {
  try {
    const libc = systemLibc();
    ring = new CommitRing(setup.shared);
    context = makeContext({
      store: new SqliteStore(setup.storePath),
      libc,
      dataDirectory: setup.dataDirectory,
      dataDirectoryFd: libc.open(setup.dataDirectory, OPEN.readOnly | OPEN.directory),
      reply: replyError,
      onError: report,
    });
    setup.port.onmessage = ({ data }: MessageEvent<CommitWorkerMessage>) => {
      if ("job" in data) take(data.job);
      else end(setup.port);
    };
    scope.postMessage({ state: context.store.load() });
  } catch (error) {
    scope.postMessage({ error: toPbkfsError(error).toJSON() });
  }
}

/** Waits for jobs that have been submitted meanwhile: one commit is enough for all of them. */
function take(job: CommitJob): void {
  waiting.push(job);
  if (ring.submitted > job.sequence) return;
  for (const outcome of runJobs(waiting.splice(0), context)) ring.complete(outcome);
}

function end(port: MessagePort): void {
  context.libc.close(context.dataDirectoryFd);
  context.store.close();
  port.close();
  ring.closed();
}

function report(what: string, error: unknown): void {
  const text = `pbkfs: ${what} failed: ${toPbkfsError(error).message}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
