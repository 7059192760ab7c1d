/**
 * Commits on a thread of their own, so that a sync does not hold up reads.
 *
 * The submitting thread serves the kernel and never returns to its event loop. So jobs go out as
 * messages, which needs no event loop, and outcomes come back in shared memory.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import type { ByteString } from "../ffi/bytes.ts";
import type { CommitJob, CommitOutcome, Committer } from "./committer.ts";

/** What the worker needs to begin. */
export interface CommitWorkerSetup {
  readonly shared: SharedArrayBuffer;
  readonly storePath: string;
  readonly dataDirectory: ByteString;
}

/** What the worker is told. */
export type CommitWorkerMessage =
  | { readonly setup: CommitWorkerSetup }
  | { readonly job: CommitJob }
  | { readonly close: true };

const RING_SIZE = 1024;
const SUBMITTED_AT = 0;
const COMPLETED_AT = 1;
const CLOSED_AT = 2;
const RING_AT = 4;

/** The shared memory: counters, and a ring with the outcomes of the last jobs. */
export class CommitRing {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer((RING_AT + RING_SIZE * 2) * 4)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
  }

  get submitted(): number {
    return Atomics.load(this.#cells, SUBMITTED_AT);
  }

  set submitted(sequence: number) {
    Atomics.store(this.#cells, SUBMITTED_AT, sequence);
  }

  get completed(): number {
    return Atomics.load(this.#cells, COMPLETED_AT);
  }

  complete({ sequence, storeErrno, syncErrno }: CommitOutcome): void {
    const at = RING_AT + (sequence % RING_SIZE) * 2;
    Atomics.store(this.#cells, at, storeErrno);
    Atomics.store(this.#cells, at + 1, syncErrno);
    Atomics.store(this.#cells, COMPLETED_AT, sequence);
    Atomics.notify(this.#cells, COMPLETED_AT);
  }

  outcome(sequence: number): CommitOutcome {
    const at = RING_AT + (sequence % RING_SIZE) * 2;
    const storeErrno = Atomics.load(this.#cells, at);
    const syncErrno = Atomics.load(this.#cells, at + 1);
    return { sequence, storeErrno, syncErrno };
  }

  /** Waits until the job with this sequence has an outcome. */
  waitFor(sequence: number): void {
    for (let seen = this.completed; seen < sequence; seen = this.completed) {
      Atomics.wait(this.#cells, COMPLETED_AT, seen);
    }
  }

  closed(): void {
    Atomics.store(this.#cells, CLOSED_AT, 1);
    Atomics.notify(this.#cells, CLOSED_AT);
  }

  waitForClosed(): void {
    Atomics.wait(this.#cells, CLOSED_AT, 0);
  }
}

/** A {@link Committer} whose jobs run in a worker. */
export class WorkerCommitter implements Committer {
  readonly #worker: Worker;
  readonly #ring: CommitRing;
  #reported = 0;

  private constructor(worker: Worker, ring: CommitRing) {
    this.#worker = worker;
    this.#ring = ring;
  }

  /**
   * Starts the worker, and waits until it has opened the store.
   *
   * @throws {PbkfsError} as {@link SqliteStore} does.
   */
  static async start(setup: Omit<CommitWorkerSetup, "shared">): Promise<WorkerCommitter> {
    const ring = new CommitRing();
    const worker = new Worker(new URL("./commit_worker.ts", import.meta.url), { type: "module" });
    const ready = Promise.withResolvers<void>();
    worker.onmessage = ({ data }) => {
      if (data === "ready") ready.resolve();
      else ready.reject(PbkfsError.fromJSON(data));
    };
    worker.onerror = (event) => ready.reject(new Error(event.message));
    worker.postMessage({ setup: { ...setup, shared: ring.shared } } satisfies CommitWorkerMessage);
    try {
      await ready.promise;
    } catch (error) {
      worker.terminate();
      throw error;
    }
    return new WorkerCommitter(worker, ring);
  }

  submit(job: CommitJob): void {
    // The ring must not run over outcomes that nobody has seen.
    if (job.sequence - this.#reported >= RING_SIZE) {
      this.#ring.waitFor(job.sequence - RING_SIZE / 2);
    }
    this.#ring.submitted = job.sequence;
    this.#worker.postMessage({ job } satisfies CommitWorkerMessage);
  }

  outcomes(): CommitOutcome[] {
    const completed = this.#ring.completed;
    const outcomes = [];
    while (this.#reported < completed) outcomes.push(this.#ring.outcome(++this.#reported));
    return outcomes;
  }

  drain(): void {
    this.#ring.waitFor(this.#ring.submitted);
  }

  close(): void {
    this.#worker.postMessage({ close: true } satisfies CommitWorkerMessage);
    this.#ring.waitForClosed();
    this.#worker.terminate();
  }
}
