/**
 * The undoing of a start that fails: what it has done so far, the last thing first.
 *
 * @module
 */

import { type Log, SILENT_LOG } from "../observe/mod.ts";

/** Undoes a start when it is disposed of, the last thing first, unless the start was kept. */
export class Undo implements AsyncDisposable {
  /** Told of what cannot be undone. */
  log: Log = SILENT_LOG;
  readonly #stack = new AsyncDisposableStack();

  /** Notes what must be done, and does not fail. */
  defer(undo: () => void | Promise<void>): void {
    this.#stack.defer(undo);
  }

  /** Notes what may fail: what cannot be undone must not hide why it had to be. */
  attempt(undo: () => void | Promise<void>): void {
    this.#stack.defer(async () => {
      try {
        await undo();
      } catch (error) {
        this.log.error("giving up the start", error);
      }
    });
  }

  /** All that was done stays. */
  keep(): void {
    this.#stack.move();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
