/**
 * Jobs on their way into a commit: one commit at a time, and those that wait meanwhile share the
 * next one.
 *
 * @module
 */

import type { CommitRing } from "./commit_ring.ts";
import type { CommitJob, CommitOutcome } from "./committer.ts";

/** Takes jobs one by one, and tells the ring how they ended. */
export class CommitIntake {
  readonly #ring: CommitRing;
  readonly #run: (jobs: readonly CommitJob[]) => Promise<readonly CommitOutcome[]>;
  readonly #waiting: CommitJob[] = [];
  #underWay: Promise<void> | undefined;

  /** @param run Carries out jobs together. It does not fail: whoever waits would wait for ever. */
  constructor(
    ring: CommitRing,
    run: (jobs: readonly CommitJob[]) => Promise<readonly CommitOutcome[]>,
  ) {
    this.#ring = ring;
    this.#run = run;
  }

  /** Takes a job, the next one in sequence. */
  take(job: CommitJob): void {
    this.#waiting.push(job);
    this.#begin();
  }

  /** Waits until all that was taken has an outcome. */
  async idle(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay;
  }

  /** Waits for jobs that have been submitted meanwhile: one commit is enough for all of them. */
  #begin(): void {
    const last = this.#waiting.at(-1);
    if (this.#underWay !== undefined || last === undefined) return;
    if (this.#ring.isSubmittedAfter(last.sequence)) return;
    this.#underWay = this.#carryOut(this.#waiting.splice(0));
  }

  async #carryOut(jobs: readonly CommitJob[]): Promise<void> {
    for (const outcome of await this.#run(jobs)) this.#ring.complete(outcome);
    this.#underWay = undefined;
    this.#begin();
  }
}
