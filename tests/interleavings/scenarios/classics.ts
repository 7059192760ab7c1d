/**
 * Small programs that everybody knows to be right or wrong, and random ones, to test the explorer.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Modules, Note, Scenario } from "../scenario.ts";

type Cells = Int32Array<SharedArrayBuffer>;
type Thread = (cells: Cells, note: Note) => void;

/** Threads on a few cells. */
function program(
  threads: readonly Thread[],
  check: (cells: Cells) => void = () => {},
  options: Pick<Scenario, "plainSteps" | "mayDeadlock"> = {},
): Promise<Scenario> {
  const cellsOf = (memory: Record<string, unknown>) =>
    new Int32Array(memory["cells"] as SharedArrayBuffer);
  return Promise.resolve({
    memory: () => ({ cells: new SharedArrayBuffer(32) }),
    threads: threads.map((thread) => (memory, note) => thread(cellsOf(memory), note)),
    check: (_, memory) => check(cellsOf(memory)),
    ...options,
  });
}

const twice = (thread: Thread) => [thread, thread];
const isTwo = (cells: Cells) => assert.equal(cells[0], 2);

/** An addition in two steps may be lost. */
export const lostUpdate = () =>
  program(twice((cells) => Atomics.store(cells, 0, Atomics.load(cells, 0) + 1)), isTwo);

/** In one step it is not. */
export const keptUpdate = () => program(twice((cells) => Atomics.add(cells, 0, 1)), isTwo);

/** The same with plain accesses, which are to be seen as steps. */
export const lostPlainUpdate = () =>
  program(twice((cells) => cells[0] = cells[0]! + 1), isTwo, { plainSteps: true });

/** Who looks, and only then goes to sleep, may miss that it was woken. */
export const lostWakeUp = () =>
  program([
    (cells) => {
      if (Atomics.load(cells, 0) === 0) Atomics.wait(cells, 1, 0);
    },
    (cells) => {
      Atomics.store(cells, 0, 1);
      Atomics.notify(cells, 1);
    },
  ]);

/** Waiting for the value that was looked at misses nothing. */
export const keptWakeUp = () =>
  program([
    (cells) => {
      while (Atomics.load(cells, 0) === 0) Atomics.wait(cells, 0, 0);
    },
    (cells) => {
      Atomics.store(cells, 0, 1);
      Atomics.notify(cells, 0);
    },
  ]);

/** Two wait, one is woken. */
export const oneWokenOfTwo = () =>
  program([
    ...twice((cells) => Atomics.wait(cells, 0, 0)),
    (cells) => {
      Atomics.store(cells, 0, 1);
      Atomics.notify(cells, 0, 1);
    },
  ]);

/** Bytes are handed over by an atomic number. */
export const handedOver = () => handOver((cells) => Atomics.store(cells, 1, 1));

/** Bytes are handed over by a plain number, which orders nothing. */
export const notHandedOver = () => handOver((cells) => cells[1] = 1);

function handOver(publish: (cells: Cells) => void): Promise<Scenario> {
  return program([
    (cells) => {
      cells[0] = 7;
      publish(cells);
    },
    (cells) => {
      if (Atomics.load(cells, 1) === 1) assert.equal(cells[0], 7);
    },
  ]);
}

/** Peterson's lock, which keeps two threads from being inside at once. */
export const peterson = () => program(petersonThreads(true));

/** The same without giving way. */
export const brokenLock = () => program(petersonThreads(false));

function petersonThreads(givesWay: boolean): Thread[] {
  return [0, 1].map((me) => (cells) => {
    Atomics.store(cells, me, 1);
    if (givesWay) Atomics.store(cells, 2, 1 - me);
    // Without spinning: who may not go in gives up.
    const mayEnter = givesWay
      ? Atomics.load(cells, 1 - me) === 0 || Atomics.load(cells, 2) === me
      : Atomics.load(cells, 2) === 0;
    if (!mayEnter) return;
    assert.equal(Atomics.add(cells, 3, 1), 0, "alone inside");
    Atomics.sub(cells, 3, 1);
    Atomics.store(cells, me, 0);
  });
}

/** A thread that waits by looking again and again. */
export const endless = () =>
  program([(cells) => {
    while (Atomics.load(cells, 0) === 0);
  }]);

/** One operation of a random program. */
export type Operation =
  | { readonly op: "load" | "notify"; readonly cell: number }
  | {
    readonly op: "store" | "add" | "swapZero" | "wait";
    readonly cell: number;
    readonly value: number;
  };

/** A program as data: operations by thread. */
export function random(_: Modules, parameters: unknown): Promise<Scenario> {
  const perform = (cells: Cells, operation: Operation): number | string => {
    const { cell } = operation;
    switch (operation.op) {
      case "load":
        return Atomics.load(cells, cell);
      case "notify":
        return Atomics.notify(cells, cell, 1);
      case "store":
        return Atomics.store(cells, cell, operation.value);
      case "add":
        return Atomics.add(cells, cell, operation.value);
      case "swapZero":
        return Atomics.compareExchange(cells, cell, 0, operation.value);
      case "wait":
        return Atomics.wait(cells, cell, operation.value);
    }
  };
  const threads = (parameters as Operation[][]).map((operations): Thread => (cells, note) => {
    for (const operation of operations) note(perform(cells, operation));
  });
  return program(threads, () => {}, { mayDeadlock: true });
}
