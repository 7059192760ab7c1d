/**
 * Jobs on their way into a commit: those that wait at the same time share one.
 *
 * @module
 */

import type { CommitRing } from "./commit_ring.ts";
import type { CommitJob, CommitOutcome } from "./committer.ts";

/** Takes jobs one by one, and tells the ring how they ended. */
export class CommitIntake {
  readonly #ring: CommitRing;
  readonly #run: (jobs: readonly CommitJob[]) => readonly CommitOutcome[];
  readonly #waiting: CommitJob[] = [];

  /** @param run Carries out jobs together. It does not throw: whoever waits would wait for ever. */
  constructor(
    ring: CommitRing,
    run: (jobs: readonly CommitJob[]) => readonly CommitOutcome[],
  ) {
    this.#ring = ring;
    this.#run = run;
  }

  /** Waits for jobs that have been submitted meanwhile: one commit is enough for all of them. */
  take(job: CommitJob): void {
    this.#waiting.push(job);
    if (this.#ring.isSubmittedAfter(job.sequence)) return;
    for (const outcome of this.#run(this.#waiting.splice(0))) this.#ring.complete(outcome);
  }
}
