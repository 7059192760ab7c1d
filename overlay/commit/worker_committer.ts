/**
 * Commits on a thread of their own, so that a sync does not hold up reads.
 *
 * The submitting thread serves the kernel and never returns to its event loop. So jobs go out as
 * messages, which needs no event loop, and outcomes come back in shared memory. For the same reason
 * it cannot start the worker: a third thread does, and hands it a {@link CommitChannel}.
 *
 * @module
 */

import { toPbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { clockMs } from "../../fuse/mod.ts";
import { Thread } from "../../threads/mod.ts";
import type { WorkerNews, WorkerReporting } from "../shared/worker_news.ts";
import type { PackedState } from "../store/stored_state.ts";
import { CommitRing } from "./commit_ring.ts";
import type { CommitJob, CommitOutcome, Committer } from "./committer.ts";

/** What the worker needs to begin. */
export interface CommitWorkerSetup extends WorkerReporting {
  readonly port: MessagePort;
  readonly shared: SharedArrayBuffer;
  readonly storePath: string;
  /** The generation that the store must have reached; missing if that is not known. */
  readonly generation?: number | undefined;
  readonly dataDirectory: ByteString;
  readonly reservePath?: ByteString | undefined;
}

/** What the worker is told on its port. `submittedAt` is {@link clockMs}. */
export type CommitWorkerMessage =
  | { readonly job: CommitJob; readonly submittedAt: number }
  | { readonly close: true };

/** The way to a commit worker, to be handed to one other thread; the port is transferred. */
export interface CommitChannel {
  readonly port: MessagePort;
  readonly shared: SharedArrayBuffer;
}

/** A commit worker, for the thread that starts it. */
export interface CommitWorker {
  readonly channel: CommitChannel;
  /** What the store holds; to be handed over. */
  readonly state: PackedState;
  terminate(): void;
}

/** The thread. It answers with what the store holds. */
export type CommitThread = Thread<void, CommitWorkerSetup, PackedState, WorkerNews>;

/** A thread that is still to be told what to do. */
export function newCommitThread(): CommitThread {
  return new Thread(new URL("./commit_worker.ts", import.meta.url));
}

/**
 * Starts a commit worker, and waits until it has opened the store.
 *
 * @throws {PbkfsError} as {@link SqliteStore} does.
 */
export async function startCommitWorker(
  thread: CommitThread,
  options: Omit<CommitWorkerSetup, "port" | "shared">,
  onNews: (news: WorkerNews) => void = () => {},
): Promise<CommitWorker> {
  const { shared } = new CommitRing();
  const { port1, port2 } = new MessageChannel();
  const setup = { ...options, port: port2, shared };
  thread.ended.catch((error) =>
    onNews({ problem: { what: "the commit worker", error: toPbkfsError(error).toJSON() } })
  );
  try {
    const state = await thread.begin(setup, { transfer: [port2], onNews });
    return { channel: { port: port1, shared }, state, terminate: () => thread.terminate() };
  } catch (error) {
    port1.close();
    throw error;
  }
}

/** A {@link Committer} whose jobs run in a worker. */
export class WorkerCommitter implements Committer {
  readonly #port: Pick<MessagePort, "postMessage" | "close">;
  readonly #ring: CommitRing;
  /** The last job whose outcome was taken out of the ring. */
  #seen = 0;
  /** Taken out of the ring, and not told yet. */
  #untold: CommitOutcome[] = [];

  constructor({ port, shared }: Pick<CommitChannel, "shared"> & {
    readonly port: Pick<MessagePort, "postMessage" | "close">;
  }) {
    this.#port = port;
    this.#ring = new CommitRing(shared);
  }

  /** If this throws, nothing was submitted. */
  submit(job: CommitJob): void {
    // The ring must not run over outcomes that nobody has seen.
    if (job.sequence - this.#seen >= this.#ring.size) {
      this.#ring.waitFor(job.sequence - this.#ring.size / 2);
      this.#look();
    }
    this.#port.postMessage({ job, submittedAt: clockMs() } satisfies CommitWorkerMessage);
    // After the message: whoever sees this number waits for it to come.
    this.#ring.submitted = job.sequence;
  }

  outcomes(): CommitOutcome[] {
    this.#look();
    return this.#untold.splice(0);
  }

  get failures(): number {
    return this.#ring.failures;
  }

  drain(): void {
    this.#ring.waitForSubmitted();
  }

  close(): void {
    this.#port.postMessage({ close: true } satisfies CommitWorkerMessage);
    this.#ring.waitForClosed();
    this.#port.close();
  }

  #look(): void {
    for (let left = this.#ring.completedSince(this.#seen); left > 0; left--) {
      this.#untold.push(this.#ring.outcome(++this.#seen));
    }
  }
}
