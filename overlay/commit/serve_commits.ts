/**
 * Carries out the jobs that come through a port, to its end.
 *
 * @module
 */

import { CommitIntake } from "./commit_intake.ts";
import { CommitRing } from "./commit_ring.ts";
import { type CommitContext, type CommitJob, runJobs } from "./committer.ts";
import type { CommitChannel, CommitWorkerMessage } from "./worker_committer.ts";

/**
 * Begins to take jobs. Who sends the message that nothing more comes waits for the ring to close,
 * and the ring closes whatever becomes of the store.
 *
 * @param onJob Told of each job before anything is done for it, with the time it was submitted.
 */
export function serveCommits(
  { port, shared }: CommitChannel,
  context: CommitContext,
  onJob: (job: CommitJob, submittedAt: number) => void = () => {},
): void {
  const ring = new CommitRing(shared);
  const intake = new CommitIntake(ring, (jobs) => runJobs(jobs, context));
  port.onmessage = ({ data }: MessageEvent<CommitWorkerMessage>) => {
    if ("job" in data) {
      onJob(data.job, data.submittedAt);
      intake.take(data.job);
    } else {
      void end();
    }
  };

  async function end(): Promise<void> {
    try {
      await intake.idle();
      context.libc.close(context.dataDirectoryFd);
      await context.store.close();
    } catch (error) {
      context.onError("close the metadata", error);
    } finally {
      port.close();
      ring.closed();
    }
  }
}
