/**
 * Runs schedules of a scenario, one after another, in the same threads.
 *
 * @module
 */

import {
  type Access,
  AT,
  Board,
  type End,
  ENDS,
  type EVENT,
  type Kind,
  KINDS,
  THREADS_MAX,
} from "./board.ts";
import { buffersIn, modulesWith, type Scenario, type ScenarioMaker } from "./scenario.ts";
import type { ThreadSetup } from "./thread.ts";

/** Where a scenario is, and which modules it is to be tried with others in place of. */
export interface ScenarioPlace {
  /** Of the file in `scenarios/`. */
  readonly file: string;
  /** What it exports. */
  readonly name: string;
  /** URLs of modules, by the path of what they replace. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** Plain data for what makes the scenario. */
  readonly parameters?: unknown;
}

/** Something that a thread did. */
export interface Event extends Access {
  readonly thread: number;
  /** What was read, or whom it woke. */
  readonly value: number;
  /** Who could have made this step: bits. */
  readonly enabled: number;
  /** Whose step need not be tried here: bits. */
  readonly asleep: number;
  /** false: a plain access that goes with the step before. */
  readonly isStep: boolean;
  /** Of `woken`: the number of the event that did it. */
  readonly cause: number;
}

/** The beginning of a schedule, and what need not be tried after it. */
export interface Prescription {
  readonly choices: readonly number[];
  /** Bits: whose next step was tried in place of the last choice. */
  readonly asleep: number;
}

/** How one schedule went. */
export interface Run {
  readonly end: End;
  readonly events: readonly Event[];
  /** Of each thread. */
  readonly notes: readonly { readonly notes: unknown[]; readonly error?: string }[];
}

/** A buffer, and what it holds at the beginning. */
interface InitialMemory {
  readonly words: Int32Array;
  readonly shared: Int32Array;
}

/** Threads that never come back are found after this time. */
const STUCK_MS = 60_000;

/** The threads of a scenario. */
export class Runner implements Disposable {
  readonly scenario: Scenario;
  readonly memory: Record<string, unknown>;
  readonly #board = new Board();
  readonly #workers: readonly Worker[];
  readonly #buffers: ReturnType<typeof buffersIn>;
  readonly #initial: readonly InitialMemory[];
  /** Of the last schedule. */
  #last: readonly Event[] = [];
  #round = 0;

  private constructor(scenario: Scenario, workers: readonly Worker[]) {
    this.scenario = scenario;
    this.memory = scenario.memory();
    this.#workers = workers;
    this.#buffers = buffersIn(this.memory);
    this.#initial = this.#buffers.map(({ buffer }) => {
      const shared = new Int32Array(buffer); // Memory comes in words.
      return { shared, words: shared.slice() };
    });
  }

  static async open({ file, name, replaced = {}, parameters }: ScenarioPlace): Promise<Runner> {
    const scenarioUrl = new URL(`scenarios/${file}`, import.meta.url).href;
    const makers = await import(scenarioUrl) as Record<string, ScenarioMaker>;
    const scenario = await (makers[name] as ScenarioMaker)(modulesWith(replaced), parameters);
    if (scenario.threads.length > THREADS_MAX) throw new RangeError("Too many threads");
    const url = new URL("./thread.ts", import.meta.url);
    const workers = scenario.threads.map(() => new Worker(url, { type: "module" }));
    const runner = new Runner(scenario, workers);
    try {
      const places = { scenarioUrl, scenarioName: name, replaced, parameters };
      await Promise.all(workers.map((worker, me) => {
        const { memory } = runner.#board;
        return started(worker, { ...places, me, board: memory, memory: runner.memory });
      }));
      return runner;
    } catch (error) {
      for (const worker of workers) worker.terminate();
      throw error;
    }
  }

  /** Runs one schedule from the beginning: as prescribed, then with as few changes as it can. */
  run({ choices, asleep }: Prescription): Run {
    const board = this.#board;
    const { cells } = board;
    this.#reset();
    for (let at = 0; at < board.event(0, "thread"); at++) if (at !== AT.round) cells[at] = 0;
    cells[AT.threads] = this.#workers.length;
    cells[AT.prescribed] = choices.length;
    choices.forEach((thread, step) => cells[board.choice(step)] = thread);
    cells[AT.asleep] = asleep;
    cells[AT.asleepFrom] = Math.max(0, choices.length - 1);
    cells[AT.plainSteps] = this.scenario.plainSteps === true ? 1 : 0;
    cells[board.place(0, "turn")] = 1;
    this.#begin();
    for (let back = 0; back < this.#workers.length; back = Atomics.load(cells, AT.returned)) {
      if (Atomics.wait(cells, AT.returned, back, STUCK_MS) === "timed-out") {
        throw new Error(`Threads do not come back:\n${this.print(this.#events())}`);
      }
    }
    this.#last = this.#events();
    return {
      end: ENDS[board.get(AT.end)] as End,
      events: this.#last,
      notes: this.#workers.map((_, thread) => board.notes(thread) as Run["notes"][number]),
    };
  }

  /** Events as lines, one each. */
  print(events: readonly Event[]): string {
    return events.map(({ thread, kind, buffer, word, words, value }) => {
      const place = `${this.#buffers[buffer]?.name}[${word}${words > 1 ? `+${words}` : ""}]`;
      return `  thread ${thread}: ${kind} ${place}${kind === "wait" ? "" : ` ${value}`}`;
    }).join("\n");
  }

  [Symbol.dispose](): void {
    this.#board.cells[AT.quit] = 1;
    this.#begin();
    for (const worker of this.#workers) worker.terminate();
  }

  /** Makes the memory what it was before the last schedule, where that has written. */
  #reset(): void {
    for (const { kind, buffer, word, words } of this.#last) {
      if (kind === "load" || kind === "read") continue;
      const { shared, words: initial } = this.#initial[buffer] as InitialMemory;
      for (let at = word; at < word + words; at++) shared[at] = initial[at] as number;
    }
  }

  #begin(): void {
    Atomics.store(this.#board.cells, AT.round, ++this.#round);
    Atomics.notify(this.#board.cells, AT.round);
  }

  #events(): Event[] {
    const board = this.#board;
    return Array.from({ length: board.get(AT.events) }, (_, index) => {
      const cell = (name: keyof typeof EVENT) => board.get(board.event(index, name));
      return {
        thread: cell("thread"),
        kind: KINDS[cell("kind")] as Kind,
        buffer: cell("buffer"),
        word: cell("word"),
        words: cell("words"),
        value: cell("value"),
        enabled: cell("enabled"),
        asleep: cell("asleep"),
        isStep: cell("isStep") === 1,
        cause: cell("cause"),
      };
    });
  }
}

function started(worker: Worker, setup: ThreadSetup): Promise<void> {
  const ready = Promise.withResolvers<void>();
  worker.onmessage = ({ data }) => {
    if (data.ready === true) ready.resolve();
    else ready.reject(new Error(data.failed));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    ready.reject(new Error(event.message));
  };
  worker.postMessage(setup);
  return ready.promise;
}
