/**
 * Commits: one thread submits jobs, the other carries them out, with a store that may answer late.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { CommitJob, CommitOutcome } from "../../../overlay/mod.ts";
import type { Modules, Note, Scenario } from "../scenario.ts";

type RingModule = typeof import("../../../overlay/commit/commit_ring.ts");
type IntakeModule = typeof import("../../../overlay/commit/commit_intake.ts");
type CommitterModule = typeof import("../../../overlay/commit/worker_committer.ts");
type Memory = Record<string, unknown>;

const CLOSE = -1;

/** Messages from one thread to another, in their sequence: what a message port does. */
class Mailbox {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  #next = 0;

  constructor(shared: unknown) {
    this.#cells = new Int32Array(shared as SharedArrayBuffer);
  }

  /** @param message Not 0. */
  post(message: number): void {
    Atomics.store(this.#cells, this.#next, message);
    Atomics.notify(this.#cells, this.#next++);
  }

  /** @returns 0 if there is no message. */
  look(): number {
    const message = Atomics.load(this.#cells, this.#next);
    if (message !== 0) this.#next++;
    return message;
  }

  take(): number {
    for (;;) {
      const message = this.look();
      if (message !== 0) return message;
      Atomics.wait(this.#cells, this.#next, 0);
    }
  }
}

function outcomeOf(sequence: number): CommitOutcome {
  return { sequence, storeErrno: sequence * 10, syncErrno: sequence * 100, failedFiles: sequence };
}

async function commits(
  modules: Modules,
  options: {
    readonly jobs: number;
    readonly ringSize: number;
    /** Learns of outcomes between two jobs, not only at the end. */
    readonly looks: boolean;
    /** Messages come while a job is carried out, too. */
    readonly isLate?: boolean;
  },
): Promise<Scenario> {
  const { jobs, ringSize, looks, isLate = false } = options;
  const { CommitRing, commitRingMemory } = await modules<RingModule>(
    "overlay/commit/commit_ring.ts",
  );
  const { CommitIntake } = await modules<IntakeModule>("overlay/commit/commit_intake.ts");
  const { WorkerCommitter } = await modules<CommitterModule>("overlay/commit/worker_committer.ts");

  function submits(memory: Memory, note: Note): void {
    const mailbox = new Mailbox(memory["mailbox"]);
    const committer = new WorkerCommitter({
      shared: memory["ring"] as SharedArrayBuffer,
      port: {
        postMessage: (message: { readonly job?: CommitJob }) =>
          mailbox.post(message.job?.sequence ?? CLOSE),
        close: () => note("closed"),
      },
    });
    const look = () => committer.outcomes().forEach((outcome) => note(outcome));
    for (let sequence = 1; sequence <= jobs; sequence++) {
      committer.submit({ sequence } as CommitJob);
      if (looks) look();
    }
    committer.drain();
    look();
    committer.close();
  }

  async function carriesOut(memory: Memory, note: Note): Promise<void> {
    const mailbox = new Mailbox(memory["mailbox"]);
    const ring = new CommitRing(memory["ring"] as SharedArrayBuffer);
    let isOpen = true;
    let running = 0;
    const hand = (message: number) => {
      if (message === CLOSE) isOpen = false;
      else if (message !== 0) intake.take({ sequence: message } as CommitJob);
    };
    const intake = new CommitIntake(ring, async (jobs) => {
      if (++running > 1) note("two at a time");
      note(jobs.map(({ sequence }) => sequence));
      await undefined;
      if (isLate) hand(mailbox.look());
      running--;
      return jobs.map(({ sequence }) => outcomeOf(sequence));
    });
    while (isOpen) {
      hand(mailbox.take());
      await intake.idle();
    }
    ring.closed();
  }

  const sequences = Array.from({ length: jobs }, (_, index) => index + 1);
  return {
    memory: () => ({
      ring: commitRingMemory(ringSize),
      mailbox: new SharedArrayBuffer((jobs + 1) * 4),
    }),
    threads: [submits, carriesOut],
    check([told = [], ran = []]) {
      assert(!ran.includes("two at a time"), "two at a time");
      assert.deepEqual(
        told,
        [...sequences.map(outcomeOf), "closed"],
        "each outcome once, in order",
      );
      assert.deepEqual(ran.flat(), sequences, "each job once, in order");
    },
  };
}

/** Two jobs, of which the submitting thread learns as it goes. */
export const twoJobs = (modules: Modules) =>
  commits(modules, { jobs: 2, ringSize: 8, looks: true });

/** The same with three. */
export const threeJobs = (modules: Modules) =>
  commits(modules, { jobs: 3, ringSize: 8, looks: true });

/** Jobs that may come while one is carried out. */
export const lateStore = (modules: Modules) =>
  commits(modules, { jobs: 3, ringSize: 8, looks: false, isLate: true });

/** More jobs than the ring has room for outcomes that nobody has seen. */
export const smallRing = (modules: Modules) =>
  commits(modules, { jobs: 3, ringSize: 2, looks: false });
