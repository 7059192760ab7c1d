/**
 * Reads pages of a file in an order that is no pattern, each once, by several threads.
 *
 * @module
 */

/** What one thread reads: pages number `first`, `first + step`, … of the order, before `end`. */
export interface ReadJob {
  readonly path: string;
  readonly filePages: number;
  readonly first: number;
  readonly end: number;
  readonly step: number;
  /** 0: wait; 1: go. */
  readonly gate: SharedArrayBuffer;
}

/** Which page comes at a place of the order: each once, as long as there are pages. */
export function pageAt(place: number, filePages: number): number {
  // A prime that does not divide the number of pages, and is far from any short cycle.
  const step = filePages % 1_000_003 === 0 ? 1_000_033 : 1_000_003;
  return place * step % filePages;
}

/** What to read, and how. */
export interface RandomReads {
  readonly path: string;
  readonly pages: number;
  readonly threads: number;
  /** How many pages of the order have been read before. */
  readonly skipped?: number;
}

/** @returns Pages a second, from when all threads are ready. */
export async function randomReads(reads: RandomReads): Promise<number> {
  const { path, pages, threads, skipped = 0 } = reads;
  const filePages = Math.floor(Deno.statSync(path).size / 8192);
  const gate = new SharedArrayBuffer(4);
  const end = Math.min(skipped + pages, filePages);
  const url = new URL("./random_reads_worker.ts", import.meta.url).href;
  const workers = Array.from({ length: threads }, () => new Worker(url, { type: "module" }));
  try {
    const heard = workers.map((worker) => new Listener(worker));
    workers.forEach((worker, thread) => {
      const job: ReadJob = { path, filePages, first: skipped + thread, end, step: threads, gate };
      worker.postMessage(job);
    });
    for (const listener of heard) await listener.next();
    const start = performance.now();
    const flag = new Int32Array(gate);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    for (const listener of heard) await listener.next();
    return (end - skipped) / ((performance.now() - start) / 1000);
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

/** The messages of a worker, one at a time. */
class Listener {
  readonly #arrived: string[] = [];
  #wake: (() => void) | undefined;
  #error: Error | undefined;

  constructor(worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<string>) => {
      this.#arrived.push(data);
      this.#wake?.();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#error = new Error(event.message);
      this.#wake?.();
    };
  }

  async next(): Promise<void> {
    while (this.#arrived.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#arrived.shift();
  }
}
