/**
 * The results of commits, in memory that the thread that submits commits shares with the one that
 * carries them out.
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

import { atomicRecord, layoutOf } from "../../threads/mod.ts";
import type { CommitOutcome } from "./committer.ts";

const RING_SIZE = 1024;
/** In front of the ring: 32-bit numbers. */
export const RING = layoutOf({ submitted: 1, completed: 1, closed: 1, failures: 1 });
const AT = RING.at;
/** How a job has ended, in the ring. */
const OUTCOME = atomicRecord(["storeErrno", "syncErrno", "failedFiles"]);

/** Memory for a new ring of so many outcomes, an even number. */
export function commitRingMemory(size = RING_SIZE): SharedArrayBuffer {
  return new SharedArrayBuffer((RING.size + size * OUTCOME.size) * 4);
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
    this.size = (this.#cells.length - RING.size) / OUTCOME.size;
  }

  set submitted(sequence: number) {
    Atomics.store(this.#cells, AT.submitted, sequence);
  }

  /** Whether a job after this one is on its way. */
  isSubmittedAfter(sequence: number): boolean {
    return distance(sequence, Atomics.load(this.#cells, AT.submitted)) > 0;
  }

  /** How many jobs after this one have an outcome. */
  completedSince(sequence: number): number {
    return distance(sequence, Atomics.load(this.#cells, AT.completed));
  }

  complete(outcome: CommitOutcome): void {
    const { sequence } = outcome;
    OUTCOME.write(this.#cells, this.#cellOf(sequence), outcome);
    Atomics.store(this.#cells, AT.completed, sequence);
    Atomics.notify(this.#cells, AT.completed);
  }

  outcome(sequence: number): CommitOutcome {
    const outcome = OUTCOME.read(this.#cells, this.#cellOf(sequence));
    const { storeErrno, syncErrno, failedFiles } = outcome;
    return { sequence, storeErrno, syncErrno, failedFiles };
  }

  /** Waits until the job with this sequence has an outcome. */
  waitFor(sequence: number): void {
    for (;;) {
      const seen = Atomics.load(this.#cells, AT.completed);
      if (distance(seen, sequence) <= 0) return;
      Atomics.wait(this.#cells, AT.completed, seen);
    }
  }

  /** Waits until all jobs that were submitted have an outcome. */
  waitForSubmitted(): void {
    this.waitFor(Atomics.load(this.#cells, AT.submitted));
  }

  /** How many syncs have failed: told before their requests are answered. */
  get failures(): number {
    return Atomics.load(this.#cells, AT.failures);
  }

  failed(): void {
    Atomics.add(this.#cells, AT.failures, 1);
  }

  closed(): void {
    Atomics.store(this.#cells, AT.closed, 1);
    Atomics.notify(this.#cells, AT.closed);
  }

  waitForClosed(): void {
    Atomics.wait(this.#cells, AT.closed, 0);
  }

  #cellOf(sequence: number): number {
    return RING.size + (sequence % this.size) * OUTCOME.size;
  }
}

/** How many jobs lie between, negative if `to` is the earlier one. */
function distance(from: number, to: number): number {
  return (to - from) | 0;
}
