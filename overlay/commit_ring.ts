/**
 * How commits end, in memory that the thread that submits them shares with the one that commits.
 *
 * Each number has one writer: `submitted` who submits, all others who commits. Sequences count jobs
 * from 1; in 32-bit cells they begin again, so they are compared by their distance.
 *
 * What holds, in any interleaving: the outcome of a job is in the ring before `completed` has
 * reached the job, and stays until half a ring later; a job that `submitted` has reached is on its
 * way.
 *
 * @module
 */

import type { CommitOutcome } from "./committer.ts";

const RING_SIZE = 1024;
const SUBMITTED_AT = 0;
const COMPLETED_AT = 1;
const CLOSED_AT = 2;
const FAILURES_AT = 3;
const RING_AT = 4;
/** Cells that an outcome takes. */
const OUTCOME_SIZE = 3;

/** Memory for a new ring of so many outcomes, an even number. */
export function commitRingMemory(size = RING_SIZE): SharedArrayBuffer {
  return new SharedArrayBuffer((RING_AT + size * OUTCOME_SIZE) * 4);
}

/** The shared memory: counters, and a ring with the outcomes of the last jobs. */
export class CommitRing {
  readonly shared: SharedArrayBuffer;
  /** Outcomes that it holds. */
  readonly size: number;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(shared = commitRingMemory()) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
    this.size = (this.#cells.length - RING_AT) / OUTCOME_SIZE;
  }

  set submitted(sequence: number) {
    Atomics.store(this.#cells, SUBMITTED_AT, sequence);
  }

  /** Whether a job after this one is on its way. */
  isSubmittedAfter(sequence: number): boolean {
    return distance(sequence, Atomics.load(this.#cells, SUBMITTED_AT)) > 0;
  }

  /** How many jobs after this one have an outcome. */
  completedSince(sequence: number): number {
    return distance(sequence, Atomics.load(this.#cells, COMPLETED_AT));
  }

  complete({ sequence, storeErrno, syncErrno, failedFiles }: CommitOutcome): void {
    const at = this.#place(sequence);
    Atomics.store(this.#cells, at, storeErrno);
    Atomics.store(this.#cells, at + 1, syncErrno);
    Atomics.store(this.#cells, at + 2, failedFiles);
    Atomics.store(this.#cells, COMPLETED_AT, sequence);
    Atomics.notify(this.#cells, COMPLETED_AT);
  }

  outcome(sequence: number): CommitOutcome {
    const at = this.#place(sequence);
    const storeErrno = Atomics.load(this.#cells, at);
    const syncErrno = Atomics.load(this.#cells, at + 1);
    const failedFiles = Atomics.load(this.#cells, at + 2);
    return { sequence, storeErrno, syncErrno, failedFiles };
  }

  /** Waits until the job with this sequence has an outcome. */
  waitFor(sequence: number): void {
    for (;;) {
      const seen = Atomics.load(this.#cells, COMPLETED_AT);
      if (distance(seen, sequence) <= 0) return;
      Atomics.wait(this.#cells, COMPLETED_AT, seen);
    }
  }

  /** Waits until all jobs that were submitted have an outcome. */
  waitForSubmitted(): void {
    this.waitFor(Atomics.load(this.#cells, SUBMITTED_AT));
  }

  /** How many syncs have failed: told before their requests are answered. */
  get failures(): number {
    return Atomics.load(this.#cells, FAILURES_AT);
  }

  failed(): void {
    Atomics.add(this.#cells, FAILURES_AT, 1);
  }

  closed(): void {
    Atomics.store(this.#cells, CLOSED_AT, 1);
    Atomics.notify(this.#cells, CLOSED_AT);
  }

  waitForClosed(): void {
    Atomics.wait(this.#cells, CLOSED_AT, 0);
  }

  #place(sequence: number): number {
    return RING_AT + (sequence % this.size) * OUTCOME_SIZE;
  }
}

/** How many jobs lie between, negative if `to` is the earlier one. */
function distance(from: number, to: number): number {
  return (to - from) | 0;
}
