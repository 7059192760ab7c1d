/**
 * Lets threads make their steps in shared memory one at a time, in a sequence that is chosen.
 *
 * Code under test runs as it is, in real threads. But `Atomics`, and the typed arrays that it makes
 * of shared memory, are ours: before each operation the thread says what it is about to do, and
 * whoever has the turn decides who is next. So exactly one thread runs at a time.
 *
 * @module
 */

import {
  type Access,
  AT,
  type Board,
  ENDS,
  EVENTS_MAX,
  isDependent,
  type Kind,
  KINDS,
  STATE,
} from "./board.ts";

const real = {
  load: Atomics.load,
  store: Atomics.store,
  exchange: Atomics.exchange,
  compareExchange: Atomics.compareExchange,
  wait: Atomics.wait,
  notify: Atomics.notify,
};

type SharedInts = Int32Array<SharedArrayBuffer> | Uint8Array<SharedArrayBuffer>;
type SharedView = SharedInts | Float64Array<SharedArrayBuffer>;

/** Thrown out of a step when a schedule is given up. */
export class GivenUp extends Error {}

/** One thread's turn-taking. */
export class Stepper {
  readonly #board: Board;
  readonly #me: number;
  /** Numbers of the buffers, in the sequence in which the scenario lists them. */
  readonly #buffers = new Map<SharedArrayBuffer, number>();

  constructor(board: Board, me: number, buffers: readonly SharedArrayBuffer[]) {
    this.#board = board;
    this.#me = me;
    buffers.forEach((buffer, index) => this.#buffers.set(buffer, index));
  }

  /** Runs `body` when it is this thread's turn for the first time, and then hands the turn on. */
  async run(body: () => void | Promise<void>): Promise<void> {
    const board = this.#board;
    try {
      this.#waitForTurn();
      await body();
      board.put(this.#me, "state", STATE.ended);
      if (board.get(AT.end) === 0) this.#pass();
    } catch (error) {
      if (error instanceof GivenUp) return;
      board.put(this.#me, "state", STATE.ended);
      this.giveUp("thrown");
      throw error;
    }
  }

  /** Ends the schedule: the other threads leave theirs with {@link GivenUp}. */
  giveUp(end: typeof ENDS[number]): void {
    const board = this.#board;
    if (board.get(AT.end) !== 0) return;
    board.cells[AT.end] = ENDS.indexOf(end);
    for (let thread = 0; thread < board.get(AT.threads); thread++) {
      if (thread !== this.#me) this.#give(thread);
    }
  }

  /** Makes a step: waits until it is chosen, and carries it out. */
  step<T>(kind: Kind, access: Omit<Access, "kind">, perform: () => T): T {
    this.#announce({ ...access, kind });
    this.#pass();
    const event = this.#log({ ...access, kind }, true);
    const value = perform();
    if (typeof value === "number") this.#board.cells[this.#board.event(event, "value")] = value;
    return value;
  }

  /** A plain access: a step where the scenario says so, else only noted. */
  plain<T>(kind: "read" | "write", access: Omit<Access, "kind">, perform: () => T): T {
    if (this.#board.get(AT.plainSteps) !== 0) return this.step(kind, access, perform);
    this.#log({ ...access, kind }, false);
    return perform();
  }

  /** Sleeps from its step on until a notification. @returns false if the value was another one. */
  wait(access: Omit<Access, "kind">, isEqual: () => boolean): boolean {
    if (!this.step("wait", access, isEqual)) return false;
    const board = this.#board;
    board.put(this.#me, "state", STATE.blocked);
    board.put(this.#me, "since", board.get(AT.step));
    this.#pass();
    const event = this.#log({ ...access, kind: "woken" }, true);
    board.cells[board.event(event, "cause")] = board.of(this.#me, "since");
    return true;
  }

  /** Wakes who has waited longest. @returns How many were woken. */
  notify(access: Omit<Access, "kind">, count: number): number {
    const board = this.#board;
    return this.step("notify", access, () => {
      const cause = board.get(AT.events) - 1;
      const waiting = Array.from({ length: board.get(AT.threads) }, (_, thread) => thread)
        .filter((thread) =>
          board.of(thread, "state") === STATE.blocked &&
          board.of(thread, "buffer") === access.buffer && board.of(thread, "word") === access.word
        )
        .sort((one, other) => board.of(one, "since") - board.of(other, "since"))
        .slice(0, count);
      for (const thread of waiting) {
        board.put(thread, "state", STATE.ready);
        board.put(thread, "kind", KINDS.indexOf("woken"));
        board.put(thread, "since", cause);
      }
      return waiting.length;
    });
  }

  /** Where elements of a view lie; undefined in memory that is not the scenario's. */
  accessOf(view: SharedView, index: number, count = 1): Omit<Access, "kind"> {
    const buffer = this.#buffers.get(view.buffer);
    if (buffer === undefined) throw new Error("Shared memory that the scenario does not list");
    const first = view.byteOffset + index * view.BYTES_PER_ELEMENT;
    const word = first >> 2;
    const end = (first + Math.max(1, count) * view.BYTES_PER_ELEMENT + 3) >> 2;
    return { buffer, word, words: end - word };
  }

  #announce({ kind, buffer, word, words }: Access): void {
    const board = this.#board;
    board.put(this.#me, "kind", KINDS.indexOf(kind));
    board.put(this.#me, "buffer", buffer);
    board.put(this.#me, "word", word);
    board.put(this.#me, "words", words);
    board.put(this.#me, "state", STATE.ready);
  }

  /** Hands the turn to whoever is chosen; returns when that is this thread. */
  #pass(): void {
    if (this.#board.get(AT.end) !== 0) throw new GivenUp();
    const next = this.#choose();
    if (next === this.#me) return;
    const hasEnded = this.#board.of(this.#me, "state") === STATE.ended;
    if (next >= 0) this.#give(next);
    if (!hasEnded) this.#waitForTurn();
  }

  /** @returns A thread, or -1 if the schedule is over. */
  #choose(): number {
    const board = this.#board;
    for (let thread = 0; thread < board.get(AT.threads); thread++) {
      // Before the first step, each thread comes as far as its own first one.
      if (board.of(thread, "state") === STATE.new) return thread;
    }
    const enabled = board.enabled();
    if (enabled === 0) {
      const isDone = Array.from({ length: board.get(AT.threads) }, (_, thread) => thread)
        .every((thread) => board.of(thread, "state") === STATE.ended);
      return this.#over(isDone ? "done" : "deadlock");
    }
    const step = board.get(AT.step);
    if (step < board.get(AT.prescribed)) {
      const chosen = board.get(board.choice(step));
      return (enabled & (1 << chosen)) !== 0 ? chosen : this.#over("astray");
    }
    if (board.get(AT.events) > EVENTS_MAX - 8) return this.#over("endless");
    const open = enabled & ~board.get(AT.asleep);
    if (open === 0) return this.#over("redundant");
    const last = board.get(AT.last);
    return (open & (1 << last)) !== 0 ? last : 31 - Math.clz32(open & -open);
  }

  #over(end: typeof ENDS[number]): number {
    this.giveUp(end);
    if (this.#board.of(this.#me, "state") !== STATE.ended) throw new GivenUp();
    return -1;
  }

  #give(thread: number): void {
    const place = this.#board.place(thread, "turn");
    real.store(this.#board.cells, place, 1);
    real.notify(this.#board.cells, place);
  }

  #waitForTurn(): void {
    const board = this.#board;
    const place = board.place(this.#me, "turn");
    while (real.exchange(board.cells, place, 0) === 0) real.wait(board.cells, place, 0);
    if (board.get(AT.end) !== 0) throw new GivenUp();
  }

  #log(access: Access, isStep: boolean): number {
    const board = this.#board;
    const { cells } = board;
    const index = board.get(AT.events);
    if (index >= EVENTS_MAX) {
      this.giveUp("endless");
      throw new GivenUp();
    }
    const start = board.event(index, "thread");
    const step = board.get(AT.step);
    const asleep = step < board.get(AT.asleepFrom) ? 0 : board.get(AT.asleep);
    cells.set([
      ...[this.#me, KINDS.indexOf(access.kind), access.buffer, access.word, access.words],
      ...[0, isStep ? board.enabled() : 0, asleep, isStep ? 1 : 0, -1],
    ], start);
    cells[AT.events] = index + 1;
    if (!isStep) return index;
    cells[AT.step] = step + 1;
    cells[AT.last] = this.#me;
    if (step >= board.get(AT.asleepFrom)) cells[AT.asleep] = this.#stillAsleep(asleep, access);
    return index;
  }

  /** A step wakes those whose own next step depends on it. */
  #stillAsleep(asleep: number, access: Access): number {
    const board = this.#board;
    let left = asleep & ~(1 << this.#me);
    for (let thread = 0; left >> thread !== 0; thread++) {
      if ((left & (1 << thread)) === 0) continue;
      const next: Access = {
        kind: KINDS[board.of(thread, "kind")] as Kind,
        buffer: board.of(thread, "buffer"),
        word: board.of(thread, "word"),
        words: board.of(thread, "words"),
      };
      if (isDependent(access, next)) left &= ~(1 << thread);
    }
    return left;
  }
}
