/**
 * One thread of an exploration: plays its part in each schedule, until it is told to quit.
 *
 * @module
 */

import { AT, Board, type BoardMemory } from "./board.ts";
import { buffersIn, modulesWith, type Scenario, type ScenarioMaker } from "./scenario.ts";
import { replaceSharedMemory } from "./shared_memory.ts";
import { Stepper } from "./stepping.ts";

/** What a thread is told to begin. */
export interface ThreadSetup {
  readonly board: BoardMemory;
  readonly me: number;
  readonly scenarioUrl: string;
  readonly scenarioName: string;
  readonly replaced: Readonly<Record<string, string>>;
  readonly parameters: unknown;
  readonly memory: Record<string, unknown>;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ThreadSetup>) => void;
  postMessage(message: { readonly ready: true } | { readonly failed: string }): void;
};
const { load, wait, add, notify } = Atomics;

scope.onmessage = async ({ data }) => {
  try {
    const play = await prepare(data);
    scope.postMessage({ ready: true });
    await play();
  } catch (error) {
    scope.postMessage({ failed: (error as Error).stack ?? String(error) });
  }
};

async function prepare(setup: ThreadSetup): Promise<() => Promise<void>> {
  const { me, memory } = setup;
  const board = new Board(setup.board);
  const stepper = new Stepper(board, me, buffersIn(memory).map(({ buffer }) => buffer));
  replaceSharedMemory(() => stepper);
  const makers = await import(setup.scenarioUrl) as Record<string, ScenarioMaker>;
  const make = makers[setup.scenarioName] as ScenarioMaker;
  const thread = (await make(modulesWith(setup.replaced), setup.parameters))
    .threads[me] as Scenario["threads"][number];
  const once = async () => {
    const notes: unknown[] = [];
    try {
      await stepper.run(() => thread(memory, (fact) => notes.push(fact)));
      board.note(me, { notes });
    } catch (error) {
      board.note(me, { notes, error: (error as Error).stack ?? String(error) });
    }
  };
  return async () => {
    for (let round = 0;;) {
      wait(board.cells, AT.round, round);
      if (load(board.cells, AT.round) === round) continue;
      round++;
      if (load(board.cells, AT.quit) !== 0) return;
      await once();
      add(board.cells, AT.returned, 1);
      notify(board.cells, AT.returned);
    }
  };
}
