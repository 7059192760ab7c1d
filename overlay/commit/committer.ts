/**
 * Makes changes durable, in the order that a crash at any instant can bear: first the bytes of
 * files, then the directory that names the data files, then the metadata that points at them, then
 * the answer to the kernel; deletion of what nothing points at comes last.
 *
 * @module
 */

import { ERRNO, errnoOf } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";
import type { Request } from "../../fuse/mod.ts";
import { dataFilePath } from "../data/data_files.ts";
import type { DataId, MetadataBatch, MetadataStore, PromptStore } from "../store/metadata_store.ts";
import { CommitFailures } from "./commit_failures.ts";

/** A data file in a job. */
export interface FileToSync {
  readonly id: DataId;
  /** A descriptor that the job owns and closes; undefined if an earlier job does the sync. */
  readonly fd: Fd | undefined;
}

/** One thing to make durable. Plain data, so that it can go to a worker. */
export interface CommitJob {
  /** Counts jobs, from 1. */
  readonly sequence: number;
  /** Jobs of an epoch in which the store has failed fail too; see {@link runJobs}. */
  readonly epoch: number;
  /** The request that waits for this, if one does. */
  readonly request: Request | undefined;
  /** The last job whose outcome was known when this one was made. */
  readonly settled: number;
  /** Data files whose bytes must be on disk; at most 32. */
  readonly files: readonly FileToSync[];
  /** Names were added to the data directory. */
  readonly syncDirectory: boolean;
  /** Names and attributes: right whatever becomes of `files`. */
  readonly names: MetadataBatch | undefined;
  /** What points at the bytes of `files`: committed only if all of them could be synced. */
  readonly contents: MetadataBatch | undefined;
  /** Data files that nothing points at when this is committed. */
  readonly deletions: readonly DataId[];
}

/** How a job ended: 0, or an errno. */
export interface CommitOutcome {
  readonly sequence: number;
  readonly storeErrno: number;
  readonly syncErrno: number;
  /** Which of the job's files could not be synced: bit n stands for the n-th. */
  readonly failedFiles: number;
}

/** Carries out jobs, in their order. */
export interface Committer {
  submit(job: CommitJob): void;
  /** Outcomes since the last call, in order. */
  outcomes(): CommitOutcome[];
  /** How many syncs have failed so far: known before anybody hears of one. */
  readonly failures: number;
  /** Waits until all jobs submitted have an outcome. */
  drain(): void;
  close(): void;
}

/** What jobs need; a store that answers at once, if they are to be done when a call returns. */
export interface CommitContext<Store extends MetadataStore | PromptStore = MetadataStore> {
  readonly store: Store;
  readonly libc: Libc;
  readonly dataDirectory: ByteString;
  readonly dataDirectoryFd: Fd;
  /** Answers the kernel: 0, or an errno. */
  readonly reply: (request: Request, errno: number) => void;
  readonly onError: (what: string, error: unknown) => void;
  /** Gives reserved space to a commit. @returns false if there is none. */
  readonly makeRoom?: (sizeBytes: number) => boolean;
  readonly failures: CommitFailures;
  /** Told of each sync that fails, before who waits for it. */
  readonly onFailure?: () => void;
}

/** A context in which nothing has failed yet. */
export function makeContext<Store extends MetadataStore | PromptStore>(
  parts: Omit<CommitContext<Store>, "failures">,
): CommitContext<Store> {
  return { ...parts, failures: new CommitFailures() };
}

/**
 * Carries out jobs that wait at the same time, with one commit for all of them: see
 * {@link jobSteps}. It is not rejected. Others must wait until it has ended.
 */
export async function runJobs(
  jobs: readonly CommitJob[],
  context: CommitContext,
): Promise<CommitOutcome[]> {
  const steps = jobSteps(jobs, context);
  let step = steps.next();
  while (step.done !== true) {
    try {
      await context.store.commit(step.value);
      step = steps.next();
    } catch (error) {
      step = steps.throw(error);
    }
  }
  return step.value;
}

/** The same, with a store that answers at once: all is done when it returns. */
export function runJobsAtOnce(
  jobs: readonly CommitJob[],
  context: CommitContext<PromptStore>,
): CommitOutcome[] {
  const steps = jobSteps(jobs, context);
  let step = steps.next();
  while (step.done !== true) {
    try {
      context.store.commit(step.value);
      step = steps.next();
    } catch (error) {
      step = steps.throw(error);
    }
  }
  return step.value;
}

/** Who gets batches out of it commits them, and goes on, or throws into it what has failed. */
type CommitSteps<T> = Generator<readonly MetadataBatch[], T, void>;

/** Jobs do not ask who carries out their commits, and how soon. */
type StepsContext = CommitContext<MetadataStore | PromptStore>;

/**
 * All that jobs are, but for the commit itself.
 *
 * When the store fails, the changes of these jobs are not in it, and jobs already under way build
 * on them. So from then on every job of the same epoch fails; who submits them learns of it, begins
 * a new epoch, and submits all that failed again.
 */
function* jobSteps(
  jobs: readonly CommitJob[],
  context: StepsContext,
): CommitSteps<CommitOutcome[]> {
  const { libc, failures } = context;
  const syncs = jobs.map((job) => syncFiles(job, context));
  let storeErrno = attempt(context, "sync the data directory", () => {
    if (jobs.some((job) => job.syncDirectory)) libc.fsync(context.dataDirectoryFd);
  });
  const epoch = (jobs.at(-1) as CommitJob).epoch;
  const live = jobs.filter((job) => failures.ofStore(job.epoch) === 0);
  const batches = live.flatMap((job) => {
    const isSynced = syncs[jobs.indexOf(job)]?.errno === 0;
    const { names, contents } = job;
    return [names, isSynced ? contents : undefined].filter((batch) => batch !== undefined);
  });
  if (storeErrno === 0 && batches.length > 0) {
    storeErrno = yield* commit(batches, context);
  }
  if (storeErrno !== 0) failures.storeFailed(epoch, storeErrno);
  return jobs.map((job, index) => {
    const failed = failures.ofStore(job.epoch);
    const { errno: syncErrno, failedFiles } = syncs[index] as SyncOutcome;
    if (syncErrno !== 0) {
      failures.failedSyncs++;
      context.onFailure?.();
    }
    const { request } = job;
    if (request !== undefined) {
      attempt(context, "answer a sync", () => context.reply(request, syncErrno || failed));
    }
    if (failed === 0) deleteFiles(job, context);
    return { sequence: job.sequence, storeErrno: failed, syncErrno, failedFiles };
  });
}

/** What a commit may need at once, by experience: a few pages of the log and of its index. */
const COMMIT_SIZE_BYTES = 1 << 20;

/**
 * What is committed has been accepted, so it takes of the reserve what a full disk does not give.
 *
 * @returns 0, or an errno.
 */
function* commit(
  batches: readonly MetadataBatch[],
  context: StepsContext,
): CommitSteps<number> {
  for (;;) {
    try {
      yield batches;
      return 0;
    } catch (error) {
      const errno = errnoOf(error);
      const isFull = errno === ERRNO.ENOSPC || errno === ERRNO.EDQUOT;
      if (isFull && mayTakeRoom(context)) continue;
      context.onError("commit", error);
      return errno;
    }
  }
}

function mayTakeRoom(context: StepsContext): boolean {
  return context.makeRoom?.(COMMIT_SIZE_BYTES) === true;
}

interface SyncOutcome {
  /** That of the first file that failed. */
  readonly errno: number;
  readonly failedFiles: number;
}

/** Syncs a job's files. */
function syncFiles(job: CommitJob, context: StepsContext): SyncOutcome {
  let first = 0;
  let failedFiles = 0;
  job.files.forEach(({ id, fd }, index) => {
    const own = fd === undefined ? 0 : attempt(context, "sync", () => syncAndClose(context, fd));
    const errno = context.failures.synced(id, job, own);
    if (errno === 0) return;
    failedFiles |= 1 << index;
    first ||= errno;
  });
  return { errno: first, failedFiles };
}

function syncAndClose({ libc }: StepsContext, fd: Fd): void {
  try {
    libc.fdatasync(fd);
  } finally {
    libc.close(fd);
  }
}

function deleteFiles(job: CommitJob, context: StepsContext): void {
  for (const id of job.deletions) {
    // A file that stays, the store still calls deleted: the next mount does it.
    attempt(context, "delete", () => {
      context.libc.unlink(dataFilePath(context.dataDirectory, id));
      context.store.dataDeleted(id);
    });
  }
}

function attempt(context: StepsContext, what: string, body: () => void): number {
  try {
    body();
    return 0;
  } catch (error) {
    context.onError(what, error);
    return errnoOf(error);
  }
}

/** Carries jobs out at once, on the thread that submits them. */
export class InlineCommitter implements Committer {
  readonly #context: CommitContext<PromptStore>;
  #outcomes: CommitOutcome[] = [];

  constructor(context: CommitContext<PromptStore>) {
    this.#context = context;
  }

  submit(job: CommitJob): void {
    this.#outcomes.push(...runJobsAtOnce([job], this.#context));
  }

  outcomes(): CommitOutcome[] {
    return this.#outcomes.splice(0);
  }

  get failures(): number {
    return this.#context.failures.failedSyncs;
  }

  drain(): void {}

  close(): void {
    this.#context.store.close();
  }
}
