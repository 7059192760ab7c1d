/**
 * Commits on a thread of their own, so that a sync does not hold up reads.
 *
 * The submitting thread serves the kernel and never returns to its event loop. So jobs go out as
 * messages, which needs no event loop, and outcomes come back in shared memory. For the same reason
 * it cannot start the worker: a third thread does, and hands it a {@link CommitChannel}.
 *
 * @module
 */

import { type ErrorData, PbkfsError } from "../errors.ts";
import type { ByteString } from "../ffi/bytes.ts";
import type { FaultRule } from "../ffi/faulty_libc.ts";
import { clockMs } from "../fuse/mod.ts";
import type { CommitJob, CommitOutcome, Committer } from "./committer.ts";
import type { MetadataState } from "./metadata_store.ts";
import type { WorkerNews, WorkerReporting } from "./worker_news.ts";

/** What the worker needs to begin. */
export interface CommitWorkerSetup extends WorkerReporting {
  readonly port: MessagePort;
  readonly shared: SharedArrayBuffer;
  readonly storePath: string;
  readonly dataDirectory: ByteString;
  /** For tests; usually none. */
  readonly faults: readonly FaultRule[];
}

/** What the worker is told on its port. `submittedAt` is {@link clockMs}. */
export type CommitWorkerMessage =
  | { readonly job: CommitJob; readonly submittedAt: number }
  | { readonly close: true };

/** What the worker answers to its setup: what the store holds, or why it cannot be opened. */
export type CommitWorkerAnswer =
  | { readonly state: MetadataState }
  | { readonly error: ErrorData };

/** The way to a commit worker, to be handed to one other thread; the port is transferred. */
export interface CommitChannel {
  readonly port: MessagePort;
  readonly shared: SharedArrayBuffer;
}

const RING_SIZE = 1024;
const SUBMITTED_AT = 0;
const COMPLETED_AT = 1;
const CLOSED_AT = 2;
const RING_AT = 4;
/** Cells that an outcome takes. */
const OUTCOME_SIZE = 3;

/** The shared memory: counters, and a ring with the outcomes of the last jobs. */
export class CommitRing {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer((RING_AT + RING_SIZE * OUTCOME_SIZE) * 4)) {
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

  complete({ sequence, storeErrno, syncErrno, failedFiles }: CommitOutcome): void {
    const at = RING_AT + (sequence % RING_SIZE) * OUTCOME_SIZE;
    Atomics.store(this.#cells, at, storeErrno);
    Atomics.store(this.#cells, at + 1, syncErrno);
    Atomics.store(this.#cells, at + 2, failedFiles);
    Atomics.store(this.#cells, COMPLETED_AT, sequence);
    Atomics.notify(this.#cells, COMPLETED_AT);
  }

  outcome(sequence: number): CommitOutcome {
    const at = RING_AT + (sequence % RING_SIZE) * OUTCOME_SIZE;
    const storeErrno = Atomics.load(this.#cells, at);
    const syncErrno = Atomics.load(this.#cells, at + 1);
    const failedFiles = Atomics.load(this.#cells, at + 2);
    return { sequence, storeErrno, syncErrno, failedFiles };
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

/** A commit worker, for the thread that starts it. */
export interface CommitWorker {
  readonly channel: CommitChannel;
  /** What the store holds. */
  readonly state: MetadataState;
  terminate(): void;
}

/**
 * Starts a commit worker, and waits until it has opened the store.
 *
 * @throws {PbkfsError} as {@link SqliteStore} does.
 */
export async function startCommitWorker(
  options: Omit<CommitWorkerSetup, "port" | "shared">,
  onNews: (news: WorkerNews) => void = () => {},
): Promise<CommitWorker> {
  const { shared } = new CommitRing();
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL("./commit_worker.ts", import.meta.url), { type: "module" });
  const ready = Promise.withResolvers<MetadataState>();
  worker.onmessage = ({ data }: MessageEvent<CommitWorkerAnswer | WorkerNews>) => {
    if ("state" in data) ready.resolve(data.state);
    else if ("error" in data) ready.reject(PbkfsError.fromJSON(data.error));
    else onNews(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    ready.reject(new Error(event.message));
  };
  worker.postMessage({ ...options, port: port2, shared } satisfies CommitWorkerSetup, [port2]);
  try {
    const state = await ready.promise;
    return { channel: { port: port1, shared }, state, terminate: () => worker.terminate() };
  } catch (error) {
    port1.close();
    worker.terminate();
    throw error;
  }
}

/** A {@link Committer} whose jobs run in a worker. */
export class WorkerCommitter implements Committer {
  readonly #port: MessagePort;
  readonly #ring: CommitRing;
  #reported = 0;

  constructor({ port, shared }: CommitChannel) {
    this.#port = port;
    this.#ring = new CommitRing(shared);
  }

  submit(job: CommitJob): void {
    // The ring must not run over outcomes that nobody has seen.
    if (job.sequence - this.#reported >= RING_SIZE) {
      this.#ring.waitFor(job.sequence - RING_SIZE / 2);
    }
    this.#ring.submitted = job.sequence;
    this.#port.postMessage({ job, submittedAt: clockMs() } satisfies CommitWorkerMessage);
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
    this.#port.postMessage({ close: true } satisfies CommitWorkerMessage);
    this.#ring.waitForClosed();
    this.#port.close();
  }
}
