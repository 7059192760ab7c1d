/**
 * The threads of a mount, with their code loaded, before anything is known of the mount.
 *
 * They are loaded while this process has the rights that it was started with: the user for whom
 * root's process acts later may not be able to read the program, see `act_for_owner.ts`.
 *
 * @module
 */

import { loadLogging } from "../observe/mod.ts";
import {
  type CodecsToLoad,
  type CommitThread,
  newCommitThread,
  newReadThread,
  type ReadThread,
  readWorkerCount,
} from "../overlay/mod.ts";
import { Thread } from "../threads/mod.ts";
import type { FastPaths } from "./fast_paths.ts";
import type { DispatcherNews, DispatcherSetup, MountedNews } from "./protocol.ts";

/** The thread that serves the kernel. It answers when the mount is there. */
export type DispatcherThread = Thread<CodecsToLoad, DispatcherSetup, MountedNews, DispatcherNews>;

/** Threads that are still to be told what to do. */
export interface Threads {
  readonly dispatcher: DispatcherThread;
  /** Undefined if the fast path is left out. */
  readonly commits: CommitThread | undefined;
  /** None if the fast path is left out. */
  readonly reads: readonly ReadThread[];
  terminate(): void;
}

/** Starts the threads, and waits until all that they need is loaded. */
export async function loadThreads(fastPaths: FastPaths): Promise<Threads> {
  const codecs = { systemCodecs: fastPaths.has("system_codecs") };
  const dispatcher: DispatcherThread = new Thread(
    new URL("./dispatcher_worker.ts", import.meta.url),
  );
  const commits = fastPaths.has("commit_thread") ? newCommitThread() : undefined;
  const reads = fastPaths.has("read_workers")
    ? Array.from({ length: readWorkerCount() }, newReadThread)
    : [];
  const terminate = () => [dispatcher, commits, ...reads].forEach((thread) => thread?.terminate());
  try {
    await Promise.all([
      loadLogging(),
      dispatcher.load(codecs),
      commits?.load(),
      ...reads.map((thread) => thread.load(codecs)),
    ]);
  } catch (error) {
    terminate();
    throw error;
  }
  return { dispatcher, commits, reads, terminate };
}
