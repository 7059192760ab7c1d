/**
 * Reads on their way from the dispatcher to the read workers, in memory that they share.
 *
 * One thread adds, any number take. A slot holds one read: who asked, and its pieces as numbers.
 *
 * @module
 */

import type { Codec, Piece } from "../backup/mod.ts";
import { type ByteString, byteString } from "../ffi/bytes.ts";
import type { Fd } from "../ffi/libc.ts";
import { clockMs, type Request } from "../fuse/mod.ts";

/** A read, as a worker gets it. Its descriptors belong to the worker. */
export interface QueuedRead {
  readonly request: Request;
  readonly pieces: readonly Piece[];
  readonly fds: readonly Fd[];
  /** By {@link clockMs}. */
  readonly submittedAt: number;
}

/** Slots; a power of two. */
const SLOTS = 64;
/** 1 MiB of pages, and a part at each end. */
const PIECES_MAX = 130;
const CELLS_A_PIECE = 9;
const CELLS_A_SLOT = 4 + PIECES_MAX * CELLS_A_PIECE;
const NAMES_A_SLOT = 4096 + 256;

/** Cells of the control part, all 32-bit. */
const TAIL = 0;
const HEAD = 1;
const DONE = 2;
const STOP = 3;
/** Moves whenever a worker should look again. */
const WAKE = 4;
const STATES = 5;

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
  /** Ids of the backups in the chain: pieces name them by position. */
  readonly backupIds: readonly string[];
}

/** Memory for a new queue. */
export function readQueueMemory(backupIds: readonly string[]): ReadQueueMemory {
  return {
    control: new SharedArrayBuffer((STATES + SLOTS) * 4),
    cells: new SharedArrayBuffer(SLOTS * CELLS_A_SLOT * 8),
    names: new SharedArrayBuffer(SLOTS * NAMES_A_SLOT),
    backupIds,
  };
}

/** One end of the queue. */
export class ReadQueue {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #cells: Float64Array<SharedArrayBuffer>;
  readonly #names: Uint8Array<SharedArrayBuffer>;
  readonly #backupIds: readonly string[];

  constructor(memory: ReadQueueMemory) {
    this.#control = new Int32Array(memory.control);
    this.#cells = new Float64Array(memory.cells);
    this.#names = new Uint8Array(memory.names);
    this.#backupIds = memory.backupIds;
  }

  /** Reads that were added and are not done. */
  get pending(): number {
    return (Atomics.load(this.#control, TAIL) - Atomics.load(this.#control, DONE)) | 0;
  }

  /**
   * Adds a read, if there is room, and it is one that fits.
   *
   * @param duplicate Gives the worker a descriptor of its own.
   */
  add(request: Request, pieces: readonly Piece[], duplicate: (fd: Fd) => Fd): boolean {
    const tail = Atomics.load(this.#control, TAIL);
    const slot = tail & (SLOTS - 1);
    const isFull = Atomics.load(this.#control, STATES + slot) !== FREE;
    if (isFull || pieces.length > PIECES_MAX || !pieces.every(isStored)) return false;
    this.#fill(slot, request, pieces, duplicate);
    Atomics.store(this.#control, STATES + slot, FILLED);
    Atomics.add(this.#control, TAIL, 1);
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE, 1);
    return true;
  }

  /** Waits for a read and takes it. @returns undefined when the queue is closed. */
  take(): QueuedRead | undefined {
    for (;;) {
      const wake = Atomics.load(this.#control, WAKE);
      const tail = Atomics.load(this.#control, TAIL);
      const head = Atomics.load(this.#control, HEAD);
      if (head !== tail) {
        const claimed = Atomics.compareExchange(this.#control, HEAD, head, (head + 1) | 0);
        if (claimed !== head) continue;
        const slot = head & (SLOTS - 1);
        const read = this.#empty(slot);
        Atomics.store(this.#control, STATES + slot, FREE);
        return read;
      }
      if (Atomics.load(this.#control, STOP) !== 0) return undefined;
      Atomics.wait(this.#control, WAKE, wake);
    }
  }

  /** A read that was taken has been answered. */
  done(): void {
    Atomics.add(this.#control, DONE, 1);
    Atomics.notify(this.#control, DONE);
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

  #fill(
    slot: number,
    request: Request,
    pieces: readonly StoredPiece[],
    duplicate: (fd: Fd) => Fd,
  ): void {
    const cells = this.#cells;
    const start = slot * CELLS_A_SLOT;
    const copies = new Map<Fd, Fd>();
    const copyOf = (fd: Fd): Fd => {
      const known = copies.get(fd);
      if (known !== undefined) return known;
      const copy = duplicate(fd);
      copies.set(fd, copy);
      return copy;
    };
    let path = "";
    let at = start + 4;
    for (const piece of pieces) {
      const isZeros = piece.in === "zeros";
      const of = isZeros ? undefined : piece.of;
      if (of !== undefined) path = of.path;
      cells[at] = KIND[piece.in];
      cells[at + 1] = isZeros ? NONE : copyOf(piece.fd);
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
    cells[start] = request;
    cells[start + 1] = pieces.length;
    cells[start + 2] = pathLength;
    cells[start + 3] = clockMs();
  }

  #empty(slot: number): QueuedRead {
    const cells = this.#cells;
    const start = slot * CELLS_A_SLOT;
    const cell = (at: number) => cells[at] as number;
    const names = this.#names.subarray(slot * NAMES_A_SLOT, (slot + 1) * NAMES_A_SLOT);
    const path = byteString(names.slice(0, cell(start + 2)));
    const fds = new Set<Fd>();
    const pieces: Piece[] = [];
    for (let index = 0; index < cell(start + 1); index++) {
      const at = start + 4 + index * CELLS_A_PIECE;
      const piece = this.#piece(at, path);
      if ("fd" in piece) fds.add(piece.fd);
      pieces.push(piece);
    }
    const submittedAt = cell(start + 3);
    return { request: cell(start) as Request, pieces, fds: [...fds], submittedAt };
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
