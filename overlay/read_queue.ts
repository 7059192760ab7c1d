/**
 * Reads on their way from the dispatcher to the read workers, in memory that they share.
 *
 * One thread adds, any number take. A read is given out in parts, each in a slot: its pieces as
 * numbers, and where their bytes go. What the parts have in common is their job: who asked, the
 * memory for the answer, and how many parts are left. Who finishes the last part answers.
 *
 * @module
 */

import { type Codec, type Piece, sizeOf } from "../backup/mod.ts";
import { type ByteString, byteString } from "../ffi/bytes.ts";
import type { Fd } from "../ffi/libc.ts";
import { type Address, allocate, borrowed, type NativeBuffer } from "../ffi/memory.ts";
import { clockMs, type Request } from "../fuse/mod.ts";

/** A part of a read, as a worker gets it. */
export interface QueuedPart {
  readonly job: number;
  readonly pieces: readonly Piece[];
  /** Shared by all parts; each fills its own range. */
  readonly target: NativeBuffer;
  /** Where this part's bytes begin in `target`. */
  readonly offsetBytes: number;
}

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

/** A read to be given out. */
export interface ReadParts {
  readonly request: Request;
  /** One after another they give the bytes asked for. */
  readonly parts: readonly (readonly Piece[])[];
}

/** Slots; a power of two. */
const SLOTS = 64;
/** 1 MiB of pages, and a part at each end. */
const PIECES_MAX = 130;
const CELLS_A_PIECE = 9;
/** In front of the pieces: the job, the offset, the number of pieces, the length of the path. */
const CELLS_A_SLOT = 4 + PIECES_MAX * CELLS_A_PIECE;
const NAMES_A_SLOT = 4096 + 256;

/** Reads at a time, each with memory for its answer. */
const JOBS = 16;
/** Of a job: request, address, size, time of submission, count of descriptors, descriptors. */
const CELLS_A_JOB = 5 + PIECES_MAX;

/** Cells of the control part, all 32-bit. */
const TAIL = 0;
const HEAD = 1;
/** Parts, as they are added, and as they are done. */
const DONE = 2;
const STOP = 3;
/** Moves whenever a worker should look again. */
const WAKE = 4;
const STATES = 5;
/** For each job: parts that are left, 0 if the job is free. */
const LEFT = STATES + SLOTS;
/** For each job: the errno of the first part that failed. */
const FAILED = LEFT + JOBS;
const CONTROLS = FAILED + JOBS;

const FREE = 0;
const FILLED = 1;

const CODECS: readonly Codec[] = ["none", "zlib", "pglz", "lz4", "zstd"];
const KIND = { file: 1, record: 2, zeros: 3 } as const;
const NONE = -1;

/** What can be told in numbers; bytes in memory cannot, and need no waiting for. */
type StoredPiece = Exclude<Piece, { in: "memory" }>;

function isStored(piece: Piece): piece is StoredPiece {
  return piece.in !== "memory";
}

/** The shared memory. */
export interface ReadQueueMemory {
  readonly control: SharedArrayBuffer;
  readonly cells: SharedArrayBuffer;
  readonly names: SharedArrayBuffer;
  readonly jobs: SharedArrayBuffer;
  /** The longest answer. */
  readonly readSizeBytesMax: number;
  /** Ids of the backups in the chain: pieces name them by position. */
  readonly backupIds: readonly string[];
}

/** Memory for a new queue. */
export function readQueueMemory(
  { backupIds, readSizeBytesMax }: Pick<ReadQueueMemory, "backupIds" | "readSizeBytesMax">,
): ReadQueueMemory {
  return {
    control: new SharedArrayBuffer(CONTROLS * 4),
    jobs: new SharedArrayBuffer(JOBS * CELLS_A_JOB * 8),
    readSizeBytesMax,
    cells: new SharedArrayBuffer(SLOTS * CELLS_A_SLOT * 8),
    names: new SharedArrayBuffer(SLOTS * NAMES_A_SLOT),
    backupIds,
  };
}

/** One end of the queue. The memory for answers belongs to the end that adds. */
export class ReadQueue {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #cells: Float64Array<SharedArrayBuffer>;
  readonly #names: Uint8Array<SharedArrayBuffer>;
  readonly #jobs: Float64Array<SharedArrayBuffer>;
  readonly #readSizeBytesMax: number;
  readonly #backupIds: readonly string[];
  /** By job, as this thread sees them. */
  readonly #targets: (NativeBuffer | undefined)[] = [];

  constructor(memory: ReadQueueMemory) {
    this.#control = new Int32Array(memory.control);
    this.#cells = new Float64Array(memory.cells);
    this.#names = new Uint8Array(memory.names);
    this.#jobs = new Float64Array(memory.jobs);
    this.#readSizeBytesMax = memory.readSizeBytesMax;
    this.#backupIds = memory.backupIds;
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
    const job = this.#freeJob();
    const fits = parts.every((pieces, index) =>
      Atomics.load(this.#control, STATES + ((tail + index) & (SLOTS - 1))) === FREE &&
      pieces.length <= PIECES_MAX && pieces.every(isStored)
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
      this.#fill((tail + index) & (SLOTS - 1), { job, offsetBytes, pieces, copyOf });
    });
    if (copies.size > PIECES_MAX) {
      throw new RangeError(`A read of ${copies.size} files is too much`);
    }
    this.#fillJob(job, { request, sizeBytes, fds: [...copies.values()] });
    Atomics.store(this.#control, FAILED + job, 0);
    Atomics.store(this.#control, LEFT + job, parts.length);
    for (let index = 0; index < parts.length; index++) {
      Atomics.store(this.#control, STATES + ((tail + index) & (SLOTS - 1)), FILLED);
    }
    Atomics.add(this.#control, TAIL, parts.length);
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE, parts.length);
    return true;
  }

  /** Waits for a part and takes it. @returns undefined when the queue is closed. */
  take(): QueuedPart | undefined {
    for (;;) {
      const wake = Atomics.load(this.#control, WAKE);
      const tail = Atomics.load(this.#control, TAIL);
      const head = Atomics.load(this.#control, HEAD);
      if (head !== tail) {
        const claimed = Atomics.compareExchange(this.#control, HEAD, head, (head + 1) | 0);
        if (claimed !== head) continue;
        const slot = head & (SLOTS - 1);
        const part = this.#empty(slot);
        Atomics.store(this.#control, STATES + slot, FREE);
        return part;
      }
      if (Atomics.load(this.#control, STOP) !== 0) return undefined;
      Atomics.wait(this.#control, WAKE, wake);
    }
  }

  /**
   * A part that was taken is done.
   *
   * @param errno Why it failed; 0 if it did not.
   * @returns The read, if this was the last of its parts.
   */
  finish({ job }: QueuedPart, errno: number): FinishedRead | undefined {
    if (errno !== 0) Atomics.compareExchange(this.#control, FAILED + job, 0, errno);
    // The last part leaves the job taken until it has been answered from its memory.
    let left = Atomics.load(this.#control, LEFT + job);
    while (left > 1) {
      const seen = Atomics.compareExchange(this.#control, LEFT + job, left, left - 1);
      if (seen === left) {
        this.#partDone();
        return undefined;
      }
      left = seen;
    }
    const at = job * CELLS_A_JOB;
    const [request, address, sizeBytes, submittedAt, fdCount] = this.#jobs.subarray(at, at + 5);
    return {
      request: request as Request,
      errno: Atomics.load(this.#control, FAILED + job),
      address: address as Address,
      sizeBytes: sizeBytes as number,
      fds: [...this.#jobs.subarray(at + 5, at + 5 + (fdCount as number))] as Fd[],
      submittedAt: submittedAt as number,
    };
  }

  /** A finished read has been answered. */
  release({ job }: QueuedPart): void {
    Atomics.store(this.#control, LEFT + job, 0);
    this.#partDone();
  }

  /** Lets the workers end, and waits until all reads are answered. */
  close(): void {
    for (let done = Atomics.load(this.#control, DONE); this.pending !== 0;) {
      Atomics.wait(this.#control, DONE, done);
      done = Atomics.load(this.#control, DONE);
    }
    Atomics.store(this.#control, STOP, 1);
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE);
  }

  #partDone(): void {
    Atomics.add(this.#control, DONE, 1);
    Atomics.notify(this.#control, DONE);
  }

  #freeJob(): number | undefined {
    for (let job = 0; job < JOBS; job++) {
      if (Atomics.load(this.#control, LEFT + job) === 0) return job;
    }
    return undefined;
  }

  #fillJob(job: number, read: {
    readonly request: Request;
    readonly sizeBytes: number;
    readonly fds: readonly Fd[];
  }): void {
    const { request, sizeBytes, fds } = read;
    const target = this.#targets[job] ??= allocate(this.#readSizeBytesMax);
    const at = job * CELLS_A_JOB;
    this.#jobs[at] = request;
    this.#jobs[at + 1] = target.address;
    this.#jobs[at + 2] = sizeBytes;
    this.#jobs[at + 3] = clockMs();
    this.#jobs[at + 4] = fds.length;
    this.#jobs.set(fds, at + 5);
  }

  #fill(slot: number, part: {
    readonly job: number;
    readonly offsetBytes: number;
    readonly pieces: readonly Piece[];
    readonly copyOf: (fd: Fd) => Fd;
  }): void {
    const cells = this.#cells;
    const start = slot * CELLS_A_SLOT;
    let path = "";
    let at = start + 4;
    for (const piece of part.pieces) {
      if (!isStored(piece)) throw new TypeError("Bytes in memory cannot be handed over");
      const isZeros = piece.in === "zeros";
      const of = isZeros ? undefined : piece.of;
      if (of !== undefined) path = of.path;
      cells[at] = KIND[piece.in];
      cells[at + 1] = isZeros ? NONE : part.copyOf(piece.fd);
      cells[at + 2] = isZeros ? 0 : piece.range.offsetBytes;
      cells[at + 3] = isZeros ? piece.sizeBytes : piece.range.sizeBytes;
      cells[at + 4] = piece.in === "record" ? CODECS.indexOf(piece.codec) : NONE;
      cells[at + 5] = piece.in === "record" ? piece.wanted.offsetBytes : 0;
      cells[at + 6] = piece.in === "record" ? piece.wanted.sizeBytes : 0;
      cells[at + 7] = of === undefined ? NONE : this.#backupIds.indexOf(of.backupId);
      cells[at + 8] = of?.block ?? NONE;
      at += CELLS_A_PIECE;
    }
    const names = this.#names.subarray(slot * NAMES_A_SLOT, (slot + 1) * NAMES_A_SLOT);
    const pathLength = Math.min(path.length, NAMES_A_SLOT);
    for (let index = 0; index < pathLength; index++) names[index] = path.charCodeAt(index);
    cells[start] = part.job;
    cells[start + 1] = part.offsetBytes;
    cells[start + 2] = part.pieces.length;
    cells[start + 3] = pathLength;
  }

  #empty(slot: number): QueuedPart {
    const cells = this.#cells;
    const start = slot * CELLS_A_SLOT;
    const cell = (at: number) => cells[at] as number;
    const names = this.#names.subarray(slot * NAMES_A_SLOT, (slot + 1) * NAMES_A_SLOT);
    const path = byteString(names.slice(0, cell(start + 3)));
    const pieces: Piece[] = [];
    for (let index = 0; index < cell(start + 2); index++) {
      pieces.push(this.#piece(start + 4 + index * CELLS_A_PIECE, path));
    }
    const job = cell(start);
    return { job, pieces, target: this.#target(job), offsetBytes: cell(start + 1) };
  }

  #target(job: number): NativeBuffer {
    const address = this.#jobs[job * CELLS_A_JOB + 1] as Address;
    return this.#targets[job] ??= borrowed(address, this.#readSizeBytesMax);
  }

  #piece(at: number, path: ByteString): Piece {
    const cell = (offset: number) => this.#cells[at + offset] as number;
    if (cell(0) === KIND.zeros) return { in: "zeros", sizeBytes: cell(3) };
    const fd = cell(1) as Fd;
    const range = { offsetBytes: cell(2), sizeBytes: cell(3) };
    const backupId = this.#backupIds[cell(7)];
    const block = cell(8) === NONE ? {} : { block: cell(8) };
    const of = backupId === undefined ? undefined : { path, backupId, ...block };
    if (cell(0) === KIND.file) return { in: "file", fd, range, ...(of !== undefined && { of }) };
    return {
      in: "record",
      fd,
      range,
      codec: CODECS[cell(4)] as Codec,
      wanted: { offsetBytes: cell(5), sizeBytes: cell(6) },
      of: of ?? { path, backupId: "" },
    };
  }
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
