/**
 * Keeps what strangers can bring about from filling the log.
 *
 * @module
 */

const COUNT_MAX = 10;
const PERIOD_MS = 60_000;

/** Lets ten calls a minute through, and counts the others. */
export class Rarely {
  #periodStart = -Infinity;
  #count = 0;
  #leftOut = 0;

  /** @param now Milliseconds, of a clock that is not set. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Calls `tell`, or not. @param tell Told how many calls were left out since the last one. */
  call(tell: (leftOut: number) => void): void {
    const now = this.now();
    if (now - this.#periodStart >= PERIOD_MS) {
      this.#periodStart = now;
      this.#count = 0;
    }
    if (this.#count++ >= COUNT_MAX) {
      this.#leftOut++;
      return;
    }
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    tell(leftOut);
  }
}
