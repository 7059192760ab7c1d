/**
 * The threads of a mount, with their code loaded, before anything is known of the mount.
 *
 * They are loaded while this process has the rights that it was started with: the user for whom
 * root's process acts later may not be able to read the program, see `act_for_owner.ts`.
 *
 * @module
 */

import { loadWorker, newCommitWorker, newReadWorker, readWorkerCount } from "../overlay/mod.ts";
import type { FastPaths } from "./fast_paths.ts";
import { loadLogging } from "./log.ts";

/** Threads that are still to be told what to do. */
export interface Threads {
  readonly dispatcher: Worker;
  /** Undefined if the fast path is left out. */
  readonly commits: Worker | undefined;
  /** None if the fast path is left out. */
  readonly reads: readonly Worker[];
  terminate(): void;
}

/** Starts the threads, and waits until all that they need is loaded. */
export async function loadThreads(fastPaths: FastPaths): Promise<Threads> {
  const load = (worker: Worker) =>
    loadWorker(worker, { load: { systemCodecs: fastPaths.has("system_codecs") } });
  const dispatcher = new Worker(new URL("./dispatcher_worker.ts", import.meta.url), {
    type: "module",
  });
  const commits = fastPaths.has("commit_thread") ? newCommitWorker() : undefined;
  const reads = fastPaths.has("read_workers")
    ? Array.from({ length: readWorkerCount() }, newReadWorker)
    : [];
  const all = [dispatcher, ...(commits === undefined ? [] : [commits]), ...reads];
  const terminate = () => all.forEach((worker) => worker.terminate());
  try {
    await Promise.all([loadLogging(), ...all.map(load)]);
  } catch (error) {
    terminate();
    throw error;
  }
  return { dispatcher, commits, reads, terminate };
}
