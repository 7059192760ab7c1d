/**
 * Stores data files, several at a time.
 *
 * @module
 */

import { type StoredStream, storeStream, type StreamJob } from "./page_stream.ts";

type Answer = { readonly stored: StoredStream } | { readonly error: string };

/** Threads that store data files; without any, the caller's own thread does. */
export class StreamPool implements Disposable {
  readonly #idle: Worker[];
  readonly #all: readonly Worker[];
  readonly #waiting: (() => void)[] = [];

  /** @param threads How many; 0 for small directories, for which starting one takes too long. */
  constructor(threads: number) {
    const url = new URL("./stream_worker.ts", import.meta.url).href;
    this.#all = Array.from({ length: threads }, () => new Worker(url, { type: "module" }));
    this.#idle = [...this.#all];
  }

  async store(job: StreamJob): Promise<StoredStream> {
    if (this.#all.length === 0) return storeStream(job);
    while (this.#idle.length === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const worker = this.#idle.pop()!;
    try {
      const answer = await ask(worker, job);
      if ("error" in answer) throw new Error(`Cannot store ${answer.error}`);
      return answer.stored;
    } finally {
      this.#idle.push(worker);
      this.#waiting.shift()?.();
    }
  }

  [Symbol.dispose](): void {
    for (const worker of this.#all) worker.terminate();
  }
}

function ask(worker: Worker, job: StreamJob): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage(job);
  });
}
