/**
 * Bytes that were written and did not reach the disk, and who has heard of it.
 *
 * It is as on a local file system: each who has written hears of it once, at the next sync; then the
 * file goes on with what it has. Nobody who should hear of it is told of a success before.
 *
 * - The kernel could not hand bytes on to us: it remembers that for each open file, and fails the next
 *   sync of each. It forgets when it drops the file from its cache; from then on we tell.
 * - We could not sync them: the kernel knows of no open files at our place, so we go by processes. Each
 *   that was there when it failed hears of it, and if nobody was, whoever comes first.
 *
 * That jobs which were made before a failure was known fail as well, `CommitFailures` sees to.
 *
 * Source: errseq_t, file_check_and_advance_wb_err() and fuse_fsync() of Linux.
 *
 * @module
 */

import type { Ino } from "../../fuse/mod.ts";
import { type Process, processOf, uptimeTicks } from "./syncing_process.ts";

interface Failure {
  readonly errno: number;
  /** The kernel tells. */
  readonly isKernels: boolean;
  /** When it failed, in ticks since the machine was started. */
  readonly atTicks: number;
  /** Processes that have heard of it. */
  readonly heard: Set<string>;
  /** The job that failed first. */
  readonly sequence: number;
}

/** A job in which a sync has failed. */
export interface FailedJob {
  readonly sequence: number;
  /** The last job whose outcome was known when it was made. */
  readonly settled: number;
  /** Who waited for it, and so has heard of it; 0 if that is not known. */
  readonly pid: number | undefined;
}

/** How a process is found; a test has its own. */
export interface ProcessTable {
  processOf(pid: number): Process;
  uptimeTicks(): number;
}

/** Remembers failures until those have heard of them who must. */
export class SyncFailures {
  readonly #files = new Map<Ino, Failure>();
  readonly #table: ProcessTable;

  constructor(table: ProcessTable = { processOf, uptimeTicks }) {
    this.#table = table;
  }

  /** The kernel could not hand on what it had gathered. */
  lost(ino: Ino, errno: number): void {
    // Where we are still telling of another one, whoever hears of that one has heard of this, too.
    if (this.#files.get(ino)?.isKernels !== false) this.#add(ino, errno, true);
  }

  /** A sync has failed. */
  failed(ino: Ino, errno: number, { pid, sequence, settled }: FailedJob): void {
    const known = this.#files.get(ino);
    // A job that was made before a failure was known fails for that same one.
    const isNew = known === undefined || known.isKernels || settled >= known.sequence;
    if (isNew) this.#add(ino, errno, false, sequence);
    if (pid !== undefined) this.#files.get(ino)?.heard.add(this.#table.processOf(pid).id);
  }

  /** The kernel has dropped the file, and what it knew of it. */
  dropped(ino: Ino): void {
    const failure = this.#files.get(ino);
    if (failure?.isKernels === true) this.#add(ino, failure.errno, false);
  }

  /** What a sync must fail with; 0 if it may go on. Who asks has heard of it then. */
  mustTell(ino: Ino, pid: number): number {
    const failure = this.#files.get(ino);
    if (failure === undefined) return 0;
    if (failure.isKernels) {
      // The kernel asks for a sync only after it has told who wants it.
      this.#files.delete(ino);
      return 0;
    }
    const { id, startedTicks } = this.#table.processOf(pid);
    const mayNotKnow = failure.heard.size === 0 || startedTicks <= failure.atTicks;
    if (failure.heard.has(id) || !mayNotKnow) return 0;
    failure.heard.add(id);
    return failure.errno;
  }

  /** The file is gone. */
  forget(ino: Ino): void {
    this.#files.delete(ino);
  }

  /** Files of whose failure nobody has heard from us, with the errno. */
  *unheard(): Generator<readonly [Ino, number]> {
    for (const [ino, { errno, heard }] of this.#files) if (heard.size === 0) yield [ino, errno];
  }

  #add(ino: Ino, errno: number, isKernels: boolean, sequence = 0): void {
    const atTicks = isKernels ? 0 : this.#table.uptimeTicks();
    this.#files.set(ino, { errno, isKernels, atTicks, heard: new Set(), sequence });
  }
}
