/**
 * Tells the thread that serves the kernel, which never looks up from its work, that the store is
 * not to be read any more, or that it may be again.
 *
 * @module
 */

import type { BaseTree } from "../backup/mod.ts";
import { PbkfsError } from "../errors.ts";

const SIZE_AT = 0;
const TEXT_AT = 4;
const TEXT_BYTES_MAX = 2044;

/** One side of an alarm; both look at the same memory. */
export class StoreAlarm {
  readonly shared: SharedArrayBuffer;
  readonly #size: Int32Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer(TEXT_AT + TEXT_BYTES_MAX)) {
    this.shared = shared;
    this.#size = new Int32Array(shared, SIZE_AT, 1);
  }

  /** From now on reads of the store fail with this text; with undefined they do not. */
  set(text: string | undefined): void {
    Atomics.store(this.#size, 0, 0);
    if (text === undefined) return;
    const bytes = new TextEncoder().encode(text).subarray(0, TEXT_BYTES_MAX);
    new Uint8Array(this.shared, TEXT_AT).set(bytes);
    Atomics.store(this.#size, 0, bytes.length);
  }

  /** @throws {PbkfsError} `StoreDamaged`, if the alarm is on. */
  check(): void {
    const sizeBytes = Atomics.load(this.#size, 0);
    if (sizeBytes === 0) return;
    const bytes = new Uint8Array(this.shared, TEXT_AT, sizeBytes).slice();
    throw new PbkfsError("StoreDamaged", {
      what: `The backup has changed under the mount: ${new TextDecoder().decode(bytes)}`,
      todo: "Stop the server and unmount.",
    });
  }
}

/** `base`, but nothing is read of it while the alarm is on. */
export function alarmed(base: BaseTree, alarm: StoreAlarm): BaseTree {
  return {
    count: base.count,
    unlisted: base.unlisted,
    entry: (index) => base.entry(index),
    mode: (index) => base.mode(index),
    parent: (index) => base.parent(index),
    names: (directory) => base.names(directory),
    sizeBytes: (entry) => base.sizeBytes(entry),
    planRead(entry, range, plan) {
      alarm.check();
      return base.planRead(entry, range, plan);
    },
    close: () => base.close(),
  };
}
