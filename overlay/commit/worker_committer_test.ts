import assert from "node:assert/strict";
import { CommitIntake } from "./commit_intake.ts";
import { CommitRing, commitRingMemory } from "./commit_ring.ts";
import type { CommitJob, CommitOutcome } from "./committer.ts";
import { type CommitWorkerMessage, WorkerCommitter } from "./worker_committer.ts";

const job = (sequence: number) => ({ sequence } as CommitJob);
const succeed = (jobs: readonly CommitJob[]): Promise<CommitOutcome[]> =>
  Promise.resolve(
    jobs.map(({ sequence }) => ({ sequence, storeErrno: 0, syncErrno: 0, failedFiles: sequence })),
  );

/** A committer whose jobs are carried out when they are posted. */
function committerOf(ringSize: number, onPost: () => void = () => {}) {
  const shared = commitRingMemory(ringSize);
  const ring = new CommitRing(shared);
  const runs: number[][] = [];
  const intake = new CommitIntake(ring, (jobs) => {
    runs.push(jobs.map(({ sequence }) => sequence));
    return succeed(jobs);
  });
  const port = {
    postMessage(message: CommitWorkerMessage) {
      onPost();
      if ("job" in message) intake.take(message.job);
      else ring.closed();
    },
    close() {},
  };
  const committer = new WorkerCommitter({ shared, port });
  return { committer, runs, idle: () => intake.idle() };
}

Deno.test("a job that cannot be posted is not waited for [FR-445]", async () => {
  let fails = true;
  const { committer, runs, idle } = committerOf(8, () => {
    if (fails) throw new RangeError("too large");
  });
  assert.throws(() => committer.submit(job(1)), RangeError);
  committer.drain();
  assert.deepEqual(committer.outcomes(), []);
  fails = false;
  committer.submit(job(1));
  await idle();
  committer.drain();
  assert.deepEqual(runs, [[1]], "nor does one job wait for it");
  assert.deepEqual(committer.outcomes().map(({ sequence }) => sequence), [1]);
  committer.close();
});

Deno.test("all outcomes are told in order, however late somebody asks [FR-445]", async () => {
  const { committer, idle } = committerOf(4);
  for (let sequence = 1; sequence <= 21; sequence++) {
    committer.submit(job(sequence));
    await idle();
  }
  const outcomes = committer.outcomes();
  assert.deepEqual(
    outcomes.map(({ sequence }) => sequence),
    [...Array(21).keys()].map((n) => n + 1),
  );
  assert(outcomes.every(({ sequence, failedFiles }) => sequence === failedFiles));
  assert.deepEqual(committer.outcomes(), []);
});

Deno.test("sequences go on where 32 bits end [FR-445]", async () => {
  for (const end of [2 ** 31, 2 ** 32]) {
    const ring = new CommitRing(commitRingMemory(8));
    const intake = new CommitIntake(ring, succeed);
    for (let sequence = end - 3; sequence < end + 3; sequence++) {
      ring.submitted = sequence;
      assert(ring.isSubmittedAfter(sequence - 1) && !ring.isSubmittedAfter(sequence));
      intake.take(job(sequence));
      await intake.idle();
      ring.waitFor(sequence);
      ring.waitForSubmitted();
      assert.equal(ring.completedSince(sequence - 1), 1);
      assert.equal(ring.outcome(sequence).failedFiles, sequence | 0);
    }
  }
});
