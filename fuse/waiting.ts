/**
 * The longest time that requests may have been waiting for the thread that serves them, in memory
 * that threads share.
 *
 * The kernel does not tell when it has made a request. But one that waits has come after there was
 * none: so nobody has waited for longer than since the thread last found nothing to do.
 *
 * One thread writes; plain numbers of eight bytes are read whole on both of our architectures.
 *
 * @module
 */

import { clockMs } from "./latencies.ts";

/** Shows other threads how busy a session is. */
export class Waiting {
  readonly shared: SharedArrayBuffer;
  /** When there was no request to be served, by {@link clockMs}; infinite while it is so. */
  readonly #idleAt: Float64Array<SharedArrayBuffer>;
  /** Each thread has its own. */
  readonly #originMs = performance.timeOrigin;

  /** @param shared Memory of another instance, to write to it or see it. */
  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(8);
    this.#idleAt = new Float64Array(this.shared);
    if (shared === undefined) this.#idleAt[0] = Infinity;
  }

  /** There is no request at this moment. @param nowMs By `performance.now()` of this thread. */
  idle(nowMs: number = performance.now()): void {
    this.#idleAt[0] = this.#originMs + nowMs;
  }

  /** There is none, and none will be served before the next call of {@link Waiting.idle}. */
  asleep(): void {
    this.#idleAt[0] = Infinity;
  }

  /** For how long a request may have been waiting, in milliseconds: at most, not at least. */
  waitedMs(): number {
    return Math.max(0, clockMs() - (this.#idleAt[0] as number));
  }
}
