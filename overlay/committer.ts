/**
 * Makes changes durable, in the order that a crash at any instant can bear: first the bytes of
 * files, then the directory that names the data files, then the metadata that points at them, then
 * the answer to the kernel; deletion of what nothing points at comes last.
 *
 * @module
 */

import { errnoOf } from "../errors.ts";
import type { ByteString } from "../ffi/bytes.ts";
import type { Fd, Libc } from "../ffi/libc.ts";
import type { Request } from "../fuse/mod.ts";
import { dataFilePath } from "./data_files.ts";
import type { DataId, MetadataBatch, MetadataStore } from "./metadata_store.ts";

/** One thing to make durable. Plain data, so that it can go to a worker. */
export interface CommitJob {
  /** Counts jobs, from 1. */
  readonly sequence: number;
  /** Jobs of an epoch in which the store has failed fail too; see {@link runJobs}. */
  readonly epoch: number;
  /** The request that waits for this, if one does. */
  readonly request: Request | undefined;
  /** Data files to sync: descriptors that the job owns and closes. */
  readonly syncs: readonly Fd[];
  /** Names were added to the data directory. */
  readonly syncDirectory: boolean;
  /** Names and attributes: right whatever becomes of `syncs`. */
  readonly names: MetadataBatch | undefined;
  /** What points at the bytes in `syncs`: committed only if all of them could be synced. */
  readonly contents: MetadataBatch | undefined;
  /** Data files that nothing points at when this is committed. */
  readonly deletions: readonly DataId[];
}

/** How a job ended: 0, or an errno. */
export interface CommitOutcome {
  readonly sequence: number;
  readonly storeErrno: number;
  readonly syncErrno: number;
}

/** Carries out jobs, in their order. */
export interface Committer {
  submit(job: CommitJob): void;
  /** Outcomes since the last call, in order. */
  outcomes(): CommitOutcome[];
  /** Waits until all jobs submitted have an outcome. */
  drain(): void;
  close(): void;
}

/** What jobs need. */
export interface CommitContext {
  readonly store: MetadataStore;
  readonly libc: Libc;
  readonly dataDirectory: ByteString;
  readonly dataDirectoryFd: Fd;
  /** Answers the kernel: 0, or an errno. */
  readonly reply: (request: Request, errno: number) => void;
  readonly onError: (what: string, error: unknown) => void;
  /** The last epoch in which the store has failed. */
  failedEpoch: number;
  /** The errno it failed with. */
  failedErrno: number;
}

/**
 * Carries out jobs that wait at the same time, with one commit for all of them.
 *
 * When the store fails, the changes of these jobs are not in it, and jobs already under way build
 * on them. So from then on every job of the same epoch fails; who submits them learns of it, begins
 * a new epoch, and submits all that failed again.
 */
export function runJobs(jobs: readonly CommitJob[], context: CommitContext): CommitOutcome[] {
  const { libc } = context;
  const syncErrnos = jobs.map((job) => attempt(context, "sync", () => syncBytes(libc, job)));
  let storeErrno = attempt(context, "sync the data directory", () => {
    if (jobs.some((job) => job.syncDirectory)) libc.fsync(context.dataDirectoryFd);
  });
  const epoch = (jobs.at(-1) as CommitJob).epoch;
  const live = jobs.filter((job) => job.epoch > context.failedEpoch);
  const batches = live.flatMap((job) => {
    const isSynced = syncErrnos[jobs.indexOf(job)] === 0;
    const { names, contents } = job;
    return [names, isSynced ? contents : undefined].filter((batch) => batch !== undefined);
  });
  if (storeErrno === 0 && batches.length > 0) {
    storeErrno = attempt(context, "commit", () => context.store.commit(batches));
  }
  if (storeErrno !== 0) {
    context.failedEpoch = epoch;
    context.failedErrno = storeErrno;
  }
  return jobs.map((job, index) => {
    const failed = job.epoch <= context.failedEpoch ? context.failedErrno : 0;
    const syncErrno = syncErrnos[index] as number;
    if (job.request !== undefined) context.reply(job.request, syncErrno || failed);
    if (failed === 0) deleteFiles(job, context);
    return { sequence: job.sequence, storeErrno: failed, syncErrno };
  });
}

function syncBytes(libc: Libc, job: CommitJob): void {
  let failure: { error: unknown } | undefined;
  for (const fd of job.syncs) {
    try {
      libc.fdatasync(fd);
    } catch (error) {
      failure ??= { error };
    } finally {
      libc.close(fd);
    }
  }
  if (failure !== undefined) throw failure.error;
}

function deleteFiles(job: CommitJob, context: CommitContext): void {
  for (const id of job.deletions) {
    // A file that stays is found and deleted at the next mount.
    attempt(context, "delete", () => context.libc.unlink(dataFilePath(context.dataDirectory, id)));
  }
}

function attempt(context: CommitContext, what: string, body: () => void): number {
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
  readonly #context: CommitContext;
  #outcomes: CommitOutcome[] = [];

  constructor(context: CommitContext) {
    this.#context = context;
  }

  submit(job: CommitJob): void {
    this.#outcomes.push(...runJobs([job], this.#context));
  }

  outcomes(): CommitOutcome[] {
    return this.#outcomes.splice(0);
  }

  drain(): void {}

  close(): void {
    this.#context.store.close();
  }
}
