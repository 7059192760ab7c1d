/**
 * Tells the thread that serves the kernel, which never looks up from its work, that the store is
 * not to be read any more, or that it may be again.
 *
 * One thread sets it, any may look. There are two places for a text, used in turn. One number tells
 * which of them holds, and how long its text is: so there is no moment between two texts, and a text
 * is whole if that number is still the same after it was read.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";

const STATE_AT = 0;
const TEXTS_AT = 4;
const TEXT_BYTES_MAX = 2044;
/** Of the state: the lowest bits are the size of the text in bytes, then the switch, a count. */
const SIZE_BITS = 11;
const ON = 1 << SIZE_BITS;
const COUNT_BITS_AT = SIZE_BITS + 1;

/** One side of an alarm; both look at the same memory. */
export class StoreAlarm {
  readonly shared: SharedArrayBuffer;
  readonly #state: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer(TEXTS_AT + 2 * TEXT_BYTES_MAX)) {
    this.shared = shared;
    this.#state = new Int32Array(shared, STATE_AT, 1);
    this.#bytes = new Uint8Array(shared, TEXTS_AT);
  }

  /** From now on reads of the store fail with this text; with undefined they do not. */
  set(text: string | undefined): void {
    const count = (Atomics.load(this.#state, 0) >>> COUNT_BITS_AT) + 1;
    const bytes = new TextEncoder().encode(text ?? "").subarray(0, TEXT_BYTES_MAX);
    const start = placeOf(count);
    for (let at = 0; at < bytes.length; at++) {
      Atomics.store(this.#bytes, start + at, bytes[at] as number);
    }
    const isOn = text === undefined ? 0 : ON;
    Atomics.store(this.#state, 0, (count << COUNT_BITS_AT) | isOn | bytes.length);
  }

  /** @throws {PbkfsError} `StoreDamaged`, if the alarm is on. */
  check(): void {
    for (;;) {
      const state = Atomics.load(this.#state, 0);
      if ((state & ON) === 0) return;
      const text = this.#text(state);
      if (Atomics.load(this.#state, 0) !== state) continue; // It was set anew meanwhile.
      throw new PbkfsError("StoreDamaged", {
        what: `The backup has changed under the mount: ${text}`,
        todo: "Stop the server and unmount.",
      });
    }
  }

  #text(state: number): string {
    const start = placeOf(state >>> COUNT_BITS_AT);
    const bytes = new Uint8Array(state & (ON - 1));
    for (let at = 0; at < bytes.length; at++) bytes[at] = Atomics.load(this.#bytes, start + at);
    return new TextDecoder().decode(bytes);
  }
}

/** Where the text of that count begins. */
function placeOf(count: number): number {
  return (count & 1) * TEXT_BYTES_MAX;
}
