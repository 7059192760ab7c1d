/**
 * Stands in for libfuse: gives out requests for reads, and looks at each answer.
 *
 * As with libfuse, a request is memory that its answer frees, and that the next request may get. So
 * a request that is answered a second time, or was never asked, is found at once: what is left of
 * its memory is poison. The bytes that were answered with are compared with what was asked for, and
 * then poisoned as well, for their memory belongs to the next read.
 *
 * @module
 */

import { type Address, borrow } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";

/** Bytes of a page. */
export const PAGE_BYTES = 8192;
/** Requests at a time. */
const SLOTS = 64;
/** Cells at the front. */
const ANSWERED = 0;
const WRONG_REQUESTS = 1;
const WRONG_BYTES = 2;
const FAILED = 3;
const SLOTS_AT = 4;
/** Of a request: which one the memory is, and the pages that it asks for. */
const SLOT_CELLS = 3;
const POISON = -1;
const POISON_BYTE = 0xdb;
/** Words are looked at in this distance: reads come in pages, or not at all. */
const STRIDE_WORDS = 127;

/** What was wrong so far. */
export interface Faults {
  /** Answers to requests that had one already, or that nobody had made. */
  readonly wrongRequests: number;
  readonly wrongBytes: number;
  /** Answers that were errors. */
  readonly failed: number;
}

/** What pages hold: 32-bit words that tell which page it is, and which word. */
export function wordOf(page: number, word: number): number {
  return Math.imul(page * 2048 + word + 1, 0x9e3779b1) | 0;
}

/** The kernel's side for the thread that asks, and libfuse for those that answer. */
export class FakeLibfuse {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;
  #asked = 0;

  constructor(shared = new SharedArrayBuffer((SLOTS_AT + SLOTS * SLOT_CELLS) * 4)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
  }

  /** Makes a request; one thread does. @returns undefined if there are too many without answer. */
  ask(firstPage: number, pages: number): Request | undefined {
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = SLOTS_AT + slot * SLOT_CELLS;
      const state = Atomics.load(this.#cells, at);
      if (state !== POISON && state !== 0) continue;
      const count = ++this.#asked;
      Atomics.store(this.#cells, at + 1, firstPage);
      Atomics.store(this.#cells, at + 2, pages);
      Atomics.store(this.#cells, at, count);
      return (count * SLOTS + slot) as Request;
    }
    return undefined;
  }

  /** Requests so far. */
  get asked(): number {
    return this.#asked;
  }

  /** Requests that wait for their answer. */
  get waiting(): number {
    return this.#asked - Atomics.load(this.#cells, ANSWERED);
  }

  /** Waits until no more than that many wait. @returns false if there is no answer in this time. */
  waitUntil(waiting: number, limitMs: number): boolean {
    for (;;) {
      const answered = Atomics.load(this.#cells, ANSWERED);
      if (this.#asked - answered <= waiting) return true;
      if (Atomics.wait(this.#cells, ANSWERED, answered, limitMs) === "timed-out") return false;
    }
  }

  /** `fuse_reply_buf`. */
  replyBytes(request: Request, from: Address, sizeBytes: number): void {
    const asked = this.#free(request);
    if (asked === undefined) return;
    const bytes = borrow(from, sizeBytes);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, sizeBytes >> 2);
    let isRight = sizeBytes === asked.pages * PAGE_BYTES;
    for (let at = 0; at < words.length; at += STRIDE_WORDS) {
      isRight &&= words[at] === wordOf(asked.firstPage + (at >> 11), at & 2047);
    }
    if (!isRight) Atomics.add(this.#cells, WRONG_BYTES, 1);
    bytes.fill(POISON_BYTE);
    this.#answered();
  }

  /** `fuse_reply_err`. */
  replyError(request: Request, _errno: number): void {
    if (this.#free(request) === undefined) return;
    Atomics.add(this.#cells, FAILED, 1);
    this.#answered();
  }

  faults(): Faults {
    const [, wrongRequests = 0, wrongBytes = 0, failed = 0] = this.#cells;
    return { wrongRequests, wrongBytes, failed };
  }

  #free(request: Request): { readonly firstPage: number; readonly pages: number } | undefined {
    const at = SLOTS_AT + (request % SLOTS) * SLOT_CELLS;
    const count = Math.floor(request / SLOTS);
    const [firstPage, pages] = [1, 2].map((cell) => Atomics.load(this.#cells, at + cell));
    if (Atomics.compareExchange(this.#cells, at, count, POISON) !== count) {
      Atomics.add(this.#cells, WRONG_REQUESTS, 1);
      return undefined;
    }
    return { firstPage: firstPage as number, pages: pages as number };
  }

  #answered(): void {
    Atomics.add(this.#cells, ANSWERED, 1);
    Atomics.notify(this.#cells, ANSWERED);
  }
}
