/**
 * The reads that read workers have under way, in shared memory: for each, who asked, the memory for
 * the answer, and how many parts are left. Who finishes the last part answers.
 *
 * A job is used for one read after another, which are numbered. What is left and the number are one
 * cell, so that a part of an earlier read can never count for a later one.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import type { Fd } from "../../ffi/libc.ts";
import { type Address, allocate, borrowBuffer, type NativeBuffer } from "../../ffi/memory.ts";
import { clockMs, type Request } from "../../fuse/mod.ts";
import { layoutOf, plainRecord } from "../../threads/mod.ts";
import { PIECES_MAX } from "./part_cells.ts";

/** A read all of whose parts are done: who finished the last answers, then calls `release`. */
export interface FinishedRead {
  readonly request: Request;
  /** Of the first part that failed; 0 if none did. */
  readonly errno: number;
  readonly address: Address;
  readonly sizeBytes: number;
  /** To be closed. */
  readonly fds: readonly Fd[];
  /** By {@link clockMs}. */
  readonly submittedAt: number;
}

/** Which read of which job. */
export interface JobNumber {
  readonly job: number;
  readonly number: number;
}

/** Reads at a time, each with memory for its answer. */
const JOBS = 16;
/** Descriptors of a read: each of its files once. */
const FDS_MAX = PIECES_MAX;
/** What is told of a job, in numbers of eight bytes. */
const JOB = plainRecord(["request", "address", "sizeBytes", "submittedAt", "fdCount"]);
/** All of a job. */
const JOB_CELLS = layoutOf({ job: JOB.size, fds: FDS_MAX });

/** For all jobs, 32-bit numbers. */
const JOB_STATES = layoutOf({
  /** For each job: its number, and how many parts are left; 0 if it is free. */
  STATES: JOBS,
  /** For each job: the errno of the first part that failed. */
  FAILED: JOBS,
});
const { STATES, FAILED } = JOB_STATES.at;
const LEFT_BITS = 8;
const LEFT_MASK = (1 << LEFT_BITS) - 1;
/** In place of what is left: the last part is done, and somebody answers. */
const ANSWERING = LEFT_MASK;

/** The shared memory. */
export interface ReadJobsMemory {
  readonly jobStates: SharedArrayBuffer;
  readonly jobs: SharedArrayBuffer;
  /** The longest answer. */
  readonly readSizeBytesMax: number;
}

/** Memory for all jobs. */
export function readJobsMemory(readSizeBytesMax: number): ReadJobsMemory {
  return {
    jobStates: new SharedArrayBuffer(JOB_STATES.size * 4),
    jobs: new SharedArrayBuffer(JOBS * JOB_CELLS.size * 8),
    readSizeBytesMax,
  };
}

/** The jobs, as one thread sees them. The memory for answers belongs to the thread that begins. */
export class ReadJobs {
  readonly #states: Int32Array<SharedArrayBuffer>;
  readonly #cells: Float64Array<SharedArrayBuffer>;
  readonly #readSizeBytesMax: number;
  /** By job, as this thread sees them. */
  readonly #targets: (NativeBuffer | undefined)[] = [];

  constructor(memory: ReadJobsMemory) {
    this.#states = new Int32Array(memory.jobStates);
    this.#cells = new Float64Array(memory.jobs);
    this.#readSizeBytesMax = memory.readSizeBytesMax;
  }

  /** A job that is free, with the number of its next read. One thread asks for jobs. */
  free(): JobNumber | undefined {
    for (let job = 0; job < JOBS; job++) {
      const state = Atomics.load(this.#states, STATES + job);
      if ((state & LEFT_MASK) === 0) return { job, number: numberAfter(state) };
    }
    return undefined;
  }

  /** Begins a read, before any of its parts is given out. */
  begin(of: JobNumber, read: {
    readonly request: Request;
    readonly sizeBytes: number;
    readonly parts: number;
    readonly fds: readonly Fd[];
  }): void {
    const { job, number } = of;
    const { request, sizeBytes, parts, fds } = read;
    if (fds.length > FDS_MAX) throw new RangeError(`A read of ${fds.length} files is too much`);
    const target = this.#targets[job] ??= allocate(this.#readSizeBytesMax);
    const at = job * JOB_CELLS.size;
    JOB.write(this.#cells, at, {
      request,
      address: target.address,
      sizeBytes,
      submittedAt: clockMs(),
      fdCount: fds.length,
    });
    this.#cells.set(fds, at + JOB_CELLS.at.fds);
    Atomics.store(this.#states, FAILED + job, 0);
    Atomics.store(this.#states, STATES + job, stateOf(number, parts));
  }

  /** The memory for the answer. */
  target(job: number): NativeBuffer {
    const known = this.#targets[job];
    if (known !== undefined) return known;
    const address = this.#cells[job * JOB_CELLS.size + JOB.at.address] as Address;
    return this.#targets[job] = borrowBuffer(address, this.#readSizeBytesMax);
  }

  /**
   * A part is done.
   *
   * @param errno Why it failed; 0 if it did not.
   * @returns The read, if this was the last of its parts.
   * @throws {PbkfsError} `Bug` if the job has no such part: then nothing has changed.
   */
  finish(of: JobNumber, errno: number): FinishedRead | undefined {
    let state = Atomics.load(this.#states, STATES + of.job);
    checkLive(of, state);
    if (errno !== 0) Atomics.compareExchange(this.#states, FAILED + of.job, 0, errno);
    for (;;) {
      const left = state & LEFT_MASK;
      // The last part leaves the job taken until it has been answered from its memory.
      const next = stateOf(of.number, left === 1 ? ANSWERING : left - 1);
      const seen = Atomics.compareExchange(this.#states, STATES + of.job, state, next);
      if (seen === state) return left === 1 ? this.#finished(of.job) : undefined;
      checkLive(of, seen);
      state = seen;
    }
  }

  /** A finished read has been answered. @throws {PbkfsError} `Bug` if it was not to be. */
  release(of: JobNumber): void {
    const answering = stateOf(of.number, ANSWERING);
    const free = stateOf(of.number, 0);
    const seen = Atomics.compareExchange(this.#states, STATES + of.job, answering, free);
    if (seen !== answering) throw notLive(of, seen);
  }

  #finished(job: number): FinishedRead {
    const at = job * JOB_CELLS.size;
    const { request, address, sizeBytes, submittedAt, fdCount } = JOB.read(this.#cells, at);
    const fdsAt = at + JOB_CELLS.at.fds;
    return {
      request: request as Request,
      errno: Atomics.load(this.#states, FAILED + job),
      address: address as Address,
      sizeBytes,
      fds: [...this.#cells.subarray(fdsAt, fdsAt + fdCount)] as Fd[],
      submittedAt,
    };
  }
}

function stateOf(number: number, left: number): number {
  return ((number << LEFT_BITS) | left) | 0;
}

/** Numbers begin again after 16 million reads of a job. */
function numberAfter(state: number): number {
  return ((state >>> LEFT_BITS) + 1) & (-1 >>> LEFT_BITS);
}

function checkLive(of: JobNumber, state: number): void {
  const left = state & LEFT_MASK;
  if (stateOf(of.number, left) !== state || left === 0 || left === ANSWERING) {
    throw notLive(of, state);
  }
}

function notLive({ job, number }: JobNumber, state: number): PbkfsError {
  const has = `number ${state >>> LEFT_BITS}, of which ${state & LEFT_MASK} parts are left`;
  return new PbkfsError("Bug", {
    what: `A part of read number ${number} of job ${job} was done, which has ${has}`,
  });
}
