/**
 * The failures of the thread that commits, and the jobs that fail for each: those that were made
 * before the maker of jobs knew of it. Whoever waits for one of them must not be told of a success.
 *
 * Who has to hear of a failure once it is known, `SyncFailures` knows, in the thread that makes jobs.
 *
 * @module
 */

import type { DataId } from "../store/metadata_store.ts";

/** A job, among others. */
interface JobNumbers {
  readonly sequence: number;
  /** The last job whose outcome was known when this one was made. */
  readonly settled: number;
}

/** Failures of syncs, by data file, and of the store, by epoch. */
export class CommitFailures {
  readonly #files = new Map<DataId, { readonly sequence: number; readonly errno: number }>();
  #storeEpoch = 0;
  #storeErrno = 0;
  /** Jobs so far of which not all files could be synced. */
  failedSyncs = 0;

  /**
   * A job's sync of a file has ended. The system tells of bytes that it could not write once, and
   * then forgets: so a job that was made before this was known fails as well.
   *
   * @param errno How it ended; 0 if nothing was to be synced.
   * @returns What the job fails with; 0 if it does not.
   */
  synced(id: DataId, { sequence, settled }: JobNumbers, errno: number): number {
    const before = this.#files.get(id);
    const failed = before !== undefined && before.sequence > settled ? before.errno : errno;
    if (failed === 0) this.#files.delete(id);
    else this.#files.set(id, { sequence, errno: failed });
    return failed;
  }

  /** The store has failed: jobs of this epoch, and of those before it, build on what is not there. */
  storeFailed(epoch: number, errno: number): void {
    this.#storeEpoch = epoch;
    this.#storeErrno = errno;
  }

  /** What a job of an epoch fails with for the store; 0 if it does not. */
  ofStore(epoch: number): number {
    return epoch <= this.#storeEpoch ? this.#storeErrno : 0;
  }
}
