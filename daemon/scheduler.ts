/**
 * Background tasks of a mount: what has to be done now and then, and never at the cost of who uses the
 * mount. One runs at a time, in the order in which they were wanted.
 *
 * A task begins, and goes on after each of its rests, when no request of the kernel can have waited
 * for longer than a limit; but it waits for that no longer than its patience, so that a mount that is
 * always busy does not keep it from its work for ever.
 *
 * @module
 */

import type { BackgroundTasks, Complain, TaskStatus } from "../observe/mod.ts";

/** What a task may do between two pieces of its work. */
export interface Turn {
  /**
   * Lets others have the thread, and waits until the task may go on.
   *
   * @throws what the task lets through, if the mount is about to end.
   */
  rest(): Promise<void>;
}

/** Something to do in the background. */
export interface Task {
  /** For the operator, such as `commit`. */
  readonly name: string;
  /** How long each piece of its work waits, at most, for requests to be answered. */
  readonly patienceMs: number;
  /** Does the work. It may throw: that is told, and the next time it is tried again. */
  run(turn: Turn): Promise<void>;
}

/** Time, as the scheduler sees it; tests have one of their own. */
export interface SchedulerClock {
  /** Milliseconds; only moves forward. */
  now(): number;
  /** Also returns, early, once `signal` is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** What a scheduler works with. */
export interface SchedulerOptions {
  /** How long a request of the kernel may have been waiting by now, in milliseconds. */
  readonly waitedMs: () => number;
  /** Told of tasks that fail. */
  readonly complain: Complain;
  readonly clock?: SchedulerClock;
}

/** Tasks hold back while a request may have waited for longer than this. */
export const WAITED_LIMIT_MS = 20;
/** Between two looks whether it still does. */
const LOOK_MS = 5;

/** Thrown through a task, to end it. */
class Stopped extends Error {}

/** A task, and what became of it so far. */
interface Entry {
  readonly task: Task;
  isRunning: boolean;
  /** Set while it waits for its turn; settles when that turn is over. */
  wanted: PromiseWithResolvers<void> | undefined;
  runs: number;
  failures: number;
  /** Of the last run. */
  endedAt: number | undefined;
  error: string | undefined;
}

/** Runs the background tasks of one mount, in the thread that owns control. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #clock: SchedulerClock;
  readonly #entries = new Map<Task, Entry>();
  readonly #queue: Entry[] = [];
  readonly #stopping = new AbortController();
  /** Set while paused; settles at the end of the pause. */
  #pause: PromiseWithResolvers<void> | undefined;
  #working: Promise<void> | undefined;

  /** @param tasks All that there are, in the order in which `status` tells of them. */
  constructor(options: SchedulerOptions, tasks: readonly Task[] = []) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    for (const task of tasks) this.add(task);
  }

  /** Makes a task known, so that {@link Scheduler.status} tells of it. */
  add(task: Task): void {
    const none = { isRunning: false, wanted: undefined, endedAt: undefined, error: undefined };
    this.#entries.set(task, { task, runs: 0, failures: 0, ...none });
  }

  /**
   * Wants a run of a task, behind those that were wanted before. A task that waits for its turn is
   * not wanted twice; one that runs is run once more.
   *
   * @returns Settles when that run is over, also if it fails, or if the mount ends before. It does
   * not reject.
   */
  want(task: Task): Promise<void> {
    const entry = this.#entries.get(task);
    if (entry === undefined) throw new TypeError(`${task.name} was not added`);
    if (this.#stopping.signal.aborted) return Promise.resolve();
    if (entry.wanted === undefined) {
      entry.wanted = Promise.withResolvers();
      this.#queue.push(entry);
    }
    const { promise } = entry.wanted;
    this.#working ??= this.#work();
    return promise;
  }

  /** No task begins, and one that runs stops at its next rest, until {@link Scheduler.resume}. */
  pause(): void {
    this.#pause ??= Promise.withResolvers();
  }

  /** Ends a pause. */
  resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  /** What the tasks do. */
  status(): BackgroundTasks {
    return {
      isPaused: this.#pause !== undefined,
      list: [...this.#entries.values()].map(statusOf),
    };
  }

  /** Asks the task that runs to stop, and waits for it. No other begins any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.resume();
    await this.#working;
    for (const { wanted } of this.#queue.splice(0)) wanted?.resolve();
  }

  async #work(): Promise<void> {
    for (let entry = this.#queue[0]; entry !== undefined; entry = this.#queue[0]) {
      try {
        await this.#mayGoOn(entry.task.patienceMs);
      } catch (error) {
        if (error instanceof Stopped) break;
        throw error;
      }
      this.#queue.shift();
      await this.#run(entry);
    }
    this.#working = undefined;
  }

  async #run(entry: Entry): Promise<void> {
    const { task, wanted } = entry;
    entry.wanted = undefined;
    entry.isRunning = true;
    let error: unknown;
    try {
      await task.run({ rest: () => this.#rest(task.patienceMs) });
    } catch (thrown) {
      error = thrown;
    }
    entry.isRunning = false;
    if (!(error instanceof Stopped)) this.#ended(entry, error);
    wanted?.resolve();
  }

  #ended(entry: Entry, error: unknown): void {
    entry.runs++;
    entry.endedAt = Date.now();
    entry.error = error === undefined ? undefined : messageOf(error);
    if (error === undefined) return;
    entry.failures++;
    this.#options.complain(`background task "${entry.task.name}" failed`, error);
  }

  /** Whoever else wants this thread has it first. */
  async #rest(patienceMs: number): Promise<void> {
    await this.#clock.sleep(0, this.#stopping.signal);
    await this.#mayGoOn(patienceMs);
  }

  /** @throws {Stopped} */
  async #mayGoOn(patienceMs: number): Promise<void> {
    const { signal } = this.#stopping;
    let deadline = this.#clock.now() + patienceMs;
    for (;;) {
      if (signal.aborted) throw new Stopped();
      if (this.#pause !== undefined) {
        await this.#pause.promise;
        deadline = this.#clock.now() + patienceMs;
        continue;
      }
      if (this.#options.waitedMs() <= WAITED_LIMIT_MS || this.#clock.now() >= deadline) return;
      await this.#clock.sleep(LOOK_MS, signal);
    }
  }
}

function statusOf({ task, isRunning, wanted, runs, failures, endedAt, error }: Entry): TaskStatus {
  return {
    name: task.name,
    state: isRunning ? "running" : wanted !== undefined ? "waiting" : "idle",
    ...{ runs, failures },
    ...(endedAt !== undefined && { endedAt }),
    ...(error !== undefined && { error }),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const SYSTEM_CLOCK: SchedulerClock = {
  now: () => performance.now(),
  sleep(milliseconds, signal) {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    const early = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", early, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", early));
  },
};
