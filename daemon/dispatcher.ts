/**
 * The worker that serves the kernel, started with the threads that help it.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { type ErrorData, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { systemLibc } from "../ffi/libc.ts";
import { DEFAULT_SETTINGS } from "../fuse/mod.ts";
import {
  buffersOfState,
  type CommitWorker,
  type OverlayCounters,
  type ReadWorkers,
  startCommitWorker,
  startReadWorkers,
  type WorkerNews,
} from "../overlay/mod.ts";
import { type Log, TraceLines } from "../observe/mod.ts";
import { Errands } from "./errands.ts";
import type { FastPaths } from "./fast_paths.ts";
import type { DispatcherNews, DispatcherSetup, MountedNews } from "./protocol.ts";
import type { Threads } from "./threads.ts";

/** What a dispatcher is started with. */
export type DispatcherOptions =
  & Omit<DispatcherSetup, "commits" | "reads" | "errands" | "fastPaths">
  & {
    readonly fastPaths: FastPaths;
  };

/** The worker that serves the kernel. */
export class Dispatcher {
  readonly ended: Promise<void>;
  /** Settles when the kernel has let go of the mount; all goes to disk then, see `ended`. */
  readonly disconnected: Promise<void>;
  /** What the read workers have done. */
  readonly readCounters: readonly OverlayCounters[];
  /** For the operator. */
  readonly notes: readonly string[];
  /** Of the metadata, when it was opened. */
  readonly generation: number;
  readonly #errands: Errands;
  readonly #syncs: Map<number, PromiseWithResolvers<void>>;
  readonly #commits: Map<number, PromiseWithResolvers<void>>;

  private constructor(options: {
    readonly ended: Promise<void>;
    readonly disconnected: Promise<void>;
    readonly readCounters: readonly OverlayCounters[];
    readonly notes: readonly string[];
    readonly generation: number;
    readonly errands: Errands;
    readonly syncs: Map<number, PromiseWithResolvers<void>>;
    readonly commits: Map<number, PromiseWithResolvers<void>>;
  }) {
    this.ended = options.ended;
    this.disconnected = options.disconnected;
    this.readCounters = options.readCounters;
    this.notes = options.notes;
    this.generation = options.generation;
    this.#errands = options.errands;
    this.#syncs = options.syncs;
    this.#commits = options.commits;
  }

  /** Brings to disk what the kernel has sent. @throws {PbkfsError} what could not be. */
  async sync(): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const number = this.#errands.wantSync();
    this.#syncs.set(number, settled);
    await Promise.race([settled.promise, this.ended]);
  }

  /**
   * Hands changes to who commits them. The end of the mount does so, too, and tells of its errors.
   *
   * @throws {PbkfsError} what could not be, or could not be the time before.
   */
  async commit(): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#commits.set(this.#errands.wantCommit(), settled);
    await Promise.race([settled.promise, this.ended.catch(() => {})]);
  }

  /** Ends although the kernel has the mount: whoever uses it gets errors from then on. */
  end(): void {
    this.#errands.wantEnd();
  }

  static async start(
    threads: Threads,
    options: DispatcherOptions,
    log: Log,
    onCommitDue: () => void = () => {},
  ): Promise<Dispatcher> {
    const trace = new TraceLines((line) => log.trace(line));
    const { fastPaths, ...rest } = options;
    const { reads, commits } = await startHelpers(threads, options, (news) => {
      if ("problem" in news) tellProblem(log, news.problem);
      else trace.tell({ ...news.replied, replied: news.replied.request });
    });
    const errands = new Errands(systemLibc());
    const setup: DispatcherSetup = {
      ...rest,
      errands: errands.data,
      fastPaths: [...fastPaths],
      commits: commits && { state: commits.state, channel: commits.channel },
      reads: reads && { queue: reads.queue, count: reads.count },
    };
    const { dispatcher } = threads;
    const disconnected = Promise.withResolvers<void>();
    const wanted: Wanted = { syncs: new Map(), commits: new Map() };
    const onDisconnected = disconnected.resolve;
    const onNews = receiver({ log, trace, wanted, onCommitDue, onDisconnected });
    const transfer = transferred(options, commits);
    const terminate = () => {
      dispatcher.terminate();
      errands.close();
      disconnected.resolve();
      commits?.terminate();
      reads?.terminate();
    };
    let news: MountedNews;
    try {
      news = await dispatcher.begin(setup, { transfer, onNews });
    } catch (error) {
      terminate();
      throw error;
    }
    return new Dispatcher({
      ended: dispatcher.ended.finally(terminate),
      disconnected: disconnected.promise,
      readCounters: reads?.counters ?? [],
      ...{ ...news, errands, ...wanted },
    });
  }
}

/** Errands that are wanted, by their number. */
interface Wanted {
  readonly syncs: Map<number, PromiseWithResolvers<void>>;
  readonly commits: Map<number, PromiseWithResolvers<void>>;
}

/** Takes what the thread tells. */
function receiver({ log, trace, wanted, onCommitDue, onDisconnected }: {
  readonly log: Log;
  readonly trace: TraceLines;
  readonly wanted: Wanted;
  readonly onCommitDue: () => void;
  readonly onDisconnected: () => void;
}): (data: DispatcherNews) => void {
  return (data) => {
    if ("problem" in data) tellProblem(log, data.problem);
    else if ("warning" in data) log.warning(data.warning);
    else if ("note" in data) log[data.note.level](data.note.text, data.note.facts);
    else if ("trace" in data) trace.tell(data.trace);
    else if ("synced" in data) settleErrands(wanted.syncs, data.synced);
    else if ("commitDue" in data) onCommitDue();
    else if ("committed" in data) settleErrands(wanted.commits, data.committed);
    else onDisconnected();
  };
}

/** What the thread gets for itself, instead of a copy. */
function transferred(
  { learnt }: DispatcherOptions,
  commits: CommitWorker | undefined,
): Transferable[] {
  const buffers = learnt?.buffers ?? [];
  const ports = commits === undefined ? [] : [commits.channel.port];
  const stored = commits === undefined ? [] : buffersOfState(commits.state);
  return [...ports, ...buffers, ...stored];
}

/** One sync, or commit, may answer several that were wanted. */
function settleErrands(
  wanted: Map<number, PromiseWithResolvers<void>>,
  done: { readonly number: number; readonly error?: ErrorData },
): void {
  for (const [number, { resolve, reject }] of wanted) {
    if (number > done.number) continue;
    wanted.delete(number);
    if (done.error === undefined) resolve();
    else reject(PbkfsError.fromJSON(done.error));
  }
}

function tellProblem(log: Log, { what, error }: { what: string; error: ErrorData }): void {
  log.error(`${what} failed`, PbkfsError.fromJSON(error));
}

/** Starts the threads that help the dispatcher, all at once. */
async function startHelpers(
  { reads, commits }: Threads,
  options: DispatcherOptions,
  onNews: (news: WorkerNews) => void,
): Promise<{ readonly reads?: ReadWorkers; readonly commits?: CommitWorker }> {
  const { fastPaths } = options;
  const paths = pathsIn(options.diffPath);
  if (options.salvage === true) commits?.terminate(); // There is nothing to commit.
  const starts = [
    reads.length > 0
      ? startReadWorkers({
        threads: reads,
        backupIds: options.backup.identity.members.map(({ id }) => id),
        readSizeBytesMax: DEFAULT_SETTINGS.transferSizeBytesMax,
        systemCodecs: fastPaths.has("system_codecs"),
        latencies: options.latencies,
        tracing: options.tracing,
      }, onNews)
      : undefined,
    commits !== undefined && options.salvage !== true
      ? startCommitWorker(commits, {
        storePath: paths.store,
        generation: options.binding.metadata?.generation,
        dataDirectory: byteStringOf(paths.data),
        reservePath: byteStringOf(paths.reserve),
        latencies: options.latencies,
        tracing: options.tracing,
      }, onNews)
      : undefined,
  ] as const;
  try {
    const [reading, committing] = await Promise.all(starts);
    return { ...(reading && { reads: reading }), ...(committing && { commits: committing }) };
  } catch (error) {
    for (const start of await Promise.allSettled(starts)) {
      if (start.status === "fulfilled") start.value?.terminate();
    }
    throw error;
  }
}
