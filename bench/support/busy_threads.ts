/**
 * Threads that do a job over and over until they are told to stop.
 *
 * @module
 */

/** What every thread is given besides its job. */
export interface UntilStopped {
  /** One number: 1 when it is time to stop. */
  readonly stop: SharedArrayBuffer;
}

/** What a thread tells: that it has begun, and at its end what came of it. */
export type BusyNews<R> = { readonly begun: true } | { readonly result: R };

/** A thread whose work is not done by then is left: what it waits for may go only after this scope. */
const END_LIMIT_MS = 30_000;

/** Threads at work. `await using` them: leaving the scope ends them. */
export class BusyThreads<R> implements AsyncDisposable {
  readonly #stop: SharedArrayBuffer;
  readonly #workers: readonly Worker[];
  readonly #results: readonly Promise<R>[];

  private constructor(
    stop: SharedArrayBuffer,
    workers: readonly Worker[],
    results: readonly Promise<R>[],
  ) {
    this.#stop = stop;
    this.#workers = workers;
    this.#results = results;
  }

  /** Starts a thread for each job. Returns when each of them has done its work once. */
  static async start<J extends object, R>(url: URL, jobs: readonly J[]): Promise<BusyThreads<R>> {
    const stop = new SharedArrayBuffer(4);
    const workers = jobs.map(() => new Worker(url, { type: "module" }));
    const started = workers.map((worker, index) => listen<R>(worker, { ...jobs[index], stop }));
    const threads = new BusyThreads(stop, workers, started.map(({ result }) => result));
    try {
      await Promise.all(started.map(({ begun }) => begun));
    } catch (error) {
      await threads[Symbol.asyncDispose]();
      throw error;
    }
    return threads;
  }

  /** Tells all to stop. @returns What came of each. */
  async stop(): Promise<R[]> {
    this.#tellToStop();
    return await Promise.all(this.#results);
  }

  /**
   * Tells all to stop, and waits for it: a thread that never returns to its event loop is not ended
   * by `terminate`, but goes on, and keeps its file open.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#tellToStop();
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, END_LIMIT_MS);
    await Promise.race([Promise.allSettled(this.#results), limit.promise]);
    clearTimeout(timer);
    for (const worker of this.#workers) worker.terminate();
  }

  #tellToStop(): void {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
  }
}

/** Does `once` until it is time to stop; for the thread itself. */
export function untilStopped({ stop }: UntilStopped, once: () => void): void {
  const flag = new Int32Array(stop);
  once();
  self.postMessage({ begun: true });
  while (Atomics.load(flag, 0) === 0) once();
}

function listen<R>(
  worker: Worker,
  job: object,
): { readonly begun: Promise<void>; readonly result: Promise<R> } {
  const begun = Promise.withResolvers<void>();
  const result = Promise.withResolvers<R>();
  result.promise.catch(() => {}); // Whoever stops the threads is told.
  worker.onmessage = ({ data }: MessageEvent<BusyNews<R>>) => {
    if ("begun" in data) begun.resolve();
    else result.resolve(data.result);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    const error = new Error(event.message);
    begun.reject(error);
    result.reject(error);
  };
  worker.postMessage(job);
  return { begun: begun.promise, result: result.promise };
}
