/**
 * Reads on their way from the dispatcher to the read workers, in memory that they share.
 *
 * One thread adds, any number take. A read is given out in parts, each in a slot of a ring; what
 * they have in common is a job. Parts count from 0: part n lies in slot n modulo their number.
 *
 * What holds, in any interleaving: HEAD is never beyond TAIL. Who moves HEAD from n to n + 1 has
 * taken part n, which was in its slot, with its number, before TAIL went past it. A slot is filled
 * again only after what it held was read.
 *
 * @module
 */

import { type Piece, sizeOf } from "../../backup/mod.ts";
import { PbkfsError } from "../../errors.ts";
import type { Fd } from "../../ffi/libc.ts";
import type { NativeBuffer } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { layoutOf } from "../../threads/mod.ts";
import {
  fitsCells,
  PartCells,
  type PartCellsMemory,
  partCellsMemory,
  type PartInCells,
} from "./part_cells.ts";
import { type FinishedRead, ReadJobs, type ReadJobsMemory, readJobsMemory } from "./read_jobs.ts";

/** A part of a read, as a worker gets it. */
export interface QueuedPart extends PartInCells {
  /** Shared by all parts; each fills its own range. */
  readonly target: NativeBuffer;
}

/** A read to be given out. */
export interface ReadParts {
  readonly request: Request;
  /** One after another they give the bytes asked for. */
  readonly parts: readonly (readonly Piece[])[];
}

/** Slots; a power of two. */
const SLOTS = 64;

/** Cells of the control part, all 32-bit. */
const CONTROL = layoutOf({
  /** Parts, as they are added, as they are taken, and as they are done. */
  TAIL: 1,
  HEAD: 1,
  DONE: 1,
  /** Not 0: nothing comes any more. */
  STOP: 1,
  /** Moves whenever a worker should look again. */
  WAKE: 1,
  /** Not 0: HEAD cannot be trusted any more. */
  BROKEN: 1,
  /** For each slot: free, taken and being read, or which part it holds. */
  STATES: SLOTS,
});
const { TAIL, HEAD, DONE, STOP, WAKE, BROKEN, STATES } = CONTROL.at;

const FREE = 0;
const TAKEN = 2;

/** The shared memory. */
export interface ReadQueueMemory extends PartCellsMemory, ReadJobsMemory {
  readonly control: SharedArrayBuffer;
}

/** Memory for a new queue. */
export function readQueueMemory(
  { backupIds, readSizeBytesMax }: Pick<ReadQueueMemory, "backupIds" | "readSizeBytesMax">,
): ReadQueueMemory {
  return {
    control: new SharedArrayBuffer(CONTROL.size * 4),
    ...partCellsMemory(SLOTS, backupIds),
    ...readJobsMemory(readSizeBytesMax),
  };
}

/** One end of the queue. The memory for answers belongs to the end that adds. */
export class ReadQueue {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #cells: PartCells;
  readonly #jobs: ReadJobs;
  readonly #readSizeBytesMax: number;

  constructor(memory: ReadQueueMemory) {
    this.#control = new Int32Array(memory.control);
    this.#cells = new PartCells(memory);
    this.#jobs = new ReadJobs(memory);
    this.#readSizeBytesMax = memory.readSizeBytesMax;
  }

  /** Parts that were added and are not done. */
  get pending(): number {
    return (Atomics.load(this.#control, TAIL) - Atomics.load(this.#control, DONE)) | 0;
  }

  /**
   * Adds a read, if there is room, and it is one that fits.
   *
   * @param duplicate Gives the workers a descriptor of their own.
   */
  add(read: ReadParts, duplicate: (fd: Fd) => Fd): boolean {
    const { request, parts } = read;
    const offsets = offsetsOf(parts);
    const sizeBytes = offsets.pop() as number;
    const tail = Atomics.load(this.#control, TAIL);
    const job = this.#jobs.free();
    const fits = parts.length <= SLOTS &&
      parts.every((pieces, index) =>
        Atomics.load(this.#control, slotState(tail + index)) === FREE && fitsCells(pieces)
      );
    if (job === undefined || !fits || sizeBytes > this.#readSizeBytesMax) return false;
    const copies = new Map<Fd, Fd>();
    const copyOf = (fd: Fd): Fd => {
      const known = copies.get(fd);
      if (known !== undefined) return known;
      const copy = duplicate(fd);
      copies.set(fd, copy);
      return copy;
    };
    parts.forEach((pieces, index) => {
      const offsetBytes = offsets[index] as number;
      this.#cells.fill(slotOf(tail + index), { ...job, offsetBytes, pieces }, copyOf);
    });
    const fds = [...copies.values()];
    this.#jobs.begin(job, { request, sizeBytes, parts: parts.length, fds });
    for (let part = tail; part !== tail + parts.length; part++) {
      Atomics.store(this.#control, slotState(part), filledWith(part));
    }
    Atomics.add(this.#control, TAIL, parts.length);
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE, parts.length);
    return true;
  }

  /**
   * Waits for a part and takes it.
   *
   * @returns undefined when the queue is closed.
   * @throws {PbkfsError} `Bug`, once, if parts are not where they have to be. Nothing is taken then,
   * and who goes on taking gets the parts that were added, as before.
   */
  take(): QueuedPart | undefined {
    for (;;) {
      const wake = Atomics.load(this.#control, WAKE);
      const isBroken = Atomics.load(this.#control, BROKEN) !== 0;
      const found = isBroken ? this.#takeAny() : this.#takeNext();
      if (found === "other") continue;
      if (found !== "none") return found;
      if (Atomics.load(this.#control, STOP) !== 0) return undefined;
      Atomics.wait(this.#control, WAKE, wake);
    }
  }

  /**
   * A part that was taken is done.
   *
   * @param errno Why it failed; 0 if it did not.
   * @returns The read, if this was the last of its parts.
   * @throws {PbkfsError} `Bug` if there is no such part to be done: then nothing has changed.
   */
  finish(part: QueuedPart, errno: number): FinishedRead | undefined {
    const finished = this.#jobs.finish(part, errno);
    if (finished === undefined) this.#partDone();
    return finished;
  }

  /** A finished read has been answered. @throws {PbkfsError} `Bug` if it was not to be. */
  release(part: QueuedPart): void {
    this.#jobs.release(part);
    this.#partDone();
  }

  /** Lets the workers end, and waits until all reads are answered. */
  close(): void {
    for (let done = Atomics.load(this.#control, DONE); this.pending !== 0;) {
      Atomics.wait(this.#control, DONE, done);
      done = Atomics.load(this.#control, DONE);
    }
    Atomics.store(this.#control, STOP, 1);
    this.#wakeAll();
  }

  #partDone(): void {
    Atomics.add(this.#control, DONE, 1);
    Atomics.notify(this.#control, DONE);
  }

  #wakeAll(): void {
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE);
  }

  /** @returns `other` if another worker was quicker. */
  #takeNext(): QueuedPart | "none" | "other" {
    // HEAD first. It only grows, so a tail that is read later has reached at least this head; a tail
    // read before might be older than the head, and differ from it although nothing is there.
    const head = Atomics.load(this.#control, HEAD);
    const tail = Atomics.load(this.#control, TAIL);
    if (head === tail) return "none";
    const claimed = Atomics.compareExchange(this.#control, HEAD, head, (head + 1) | 0);
    if (claimed !== head) return "other";
    const part = this.#takeFrom(slotOf(head), filledWith(head));
    if (part !== undefined) return part;
    if (Atomics.exchange(this.#control, BROKEN, 1) !== 0) return "other";
    this.#wakeAll();
    throw new PbkfsError("Bug", {
      what: `The read queue was to give out part ${head}, which is not in its slot`,
    });
  }

  /** Where HEAD is wrong, a slot tells by itself that it holds a part. */
  #takeAny(): QueuedPart | "none" {
    for (let slot = 0; slot < SLOTS; slot++) {
      const state = Atomics.load(this.#control, slotState(slot));
      if (state === FREE || state === TAKEN) continue;
      const part = this.#takeFrom(slot, state);
      if (part !== undefined) return part;
    }
    return "none";
  }

  /** Takes what a slot holds, if it is in the state that is expected. */
  #takeFrom(slot: number, filled: number): QueuedPart | undefined {
    const state = slotState(slot);
    if (Atomics.compareExchange(this.#control, state, filled, TAKEN) !== filled) return undefined;
    const part = this.#cells.read(slot);
    Atomics.store(this.#control, state, FREE);
    return { ...part, target: this.#jobs.target(part.job) };
  }
}

function slotOf(part: number): number {
  return part & (SLOTS - 1);
}

function slotState(part: number): number {
  return STATES + slotOf(part);
}

/** Odd, and so neither free nor taken; it tells parts of a slot from each other. */
function filledWith(part: number): number {
  return (part << 1) | 1;
}

/** Where the bytes of each part begin, and where those of the last one end. */
function offsetsOf(parts: readonly (readonly Piece[])[]): number[] {
  const offsets = [0];
  let end = 0;
  for (const pieces of parts) {
    for (const piece of pieces) end += sizeOf(piece);
    offsets.push(end);
  }
  return offsets;
}
