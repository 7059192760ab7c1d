/**
 * A part of a read as numbers in shared memory: its pieces, and where their bytes go.
 *
 * Each slot has cells for one part. Whose turn it is to fill or empty a slot, `ReadQueue` knows.
 *
 * @module
 */

import { type Codec, CODECS, type Piece } from "../backup/mod.ts";
import { type ByteString, byteString } from "../ffi/bytes.ts";
import type { Fd } from "../ffi/libc.ts";

/** A part, as it lies in a slot. */
export interface PartInCells {
  readonly job: number;
  /** Which read of that job it belongs to; see `ReadJobs`. */
  readonly number: number;
  /** Where its bytes begin in the answer. */
  readonly offsetBytes: number;
  readonly pieces: readonly Piece[];
}

/** Pieces of a part: 1 MiB of pages, and a part at each end. */
export const PIECES_MAX = 130;
const CELLS_A_PIECE = 10;
/** In front of the pieces: job, its number, offset, number of pieces, length of the path. */
const CELLS_IN_FRONT = 5;
const CELLS_A_SLOT = CELLS_IN_FRONT + PIECES_MAX * CELLS_A_PIECE;
const NAMES_A_SLOT = 4096 + 256;

const KIND = { file: 1, record: 2, zeros: 3 } as const;
const NONE = -1;

/** What can be told in numbers; bytes in memory cannot, and need no waiting for. */
type StoredPiece = Exclude<Piece, { in: "memory" }>;

/** The shared memory. */
export interface PartCellsMemory {
  readonly cells: SharedArrayBuffer;
  readonly names: SharedArrayBuffer;
  /** Ids of the backups in the chain: pieces name them by position. */
  readonly backupIds: readonly string[];
}

/** Memory for so many slots. */
export function partCellsMemory(slots: number, backupIds: readonly string[]): PartCellsMemory {
  return {
    cells: new SharedArrayBuffer(slots * CELLS_A_SLOT * 8),
    names: new SharedArrayBuffer(slots * NAMES_A_SLOT),
    backupIds,
  };
}

/** Whether a part of these pieces can be told in the cells of a slot. */
export function fitsCells(pieces: readonly Piece[]): boolean {
  return pieces.length <= PIECES_MAX && pieces.every(isStored);
}

function isStored(piece: Piece): piece is StoredPiece {
  return piece.in !== "memory";
}

/** The slots, as one thread sees them. */
export class PartCells {
  readonly #cells: Float64Array<SharedArrayBuffer>;
  readonly #names: Uint8Array<SharedArrayBuffer>;
  readonly #backupIds: readonly string[];

  constructor(memory: PartCellsMemory) {
    this.#cells = new Float64Array(memory.cells);
    this.#names = new Uint8Array(memory.names);
    this.#backupIds = memory.backupIds;
  }

  /** Fills a slot. @param copyOf Gives the part a descriptor of its own. */
  fill(slot: number, part: PartInCells, copyOf: (fd: Fd) => Fd): void {
    const cells = this.#cells;
    const start = slot * CELLS_A_SLOT;
    let path = "";
    let at = start + CELLS_IN_FRONT;
    for (const piece of part.pieces) {
      if (!isStored(piece)) throw new TypeError("Bytes in memory cannot be handed over");
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
      cells[at + 9] = piece.in === "record" ? piece.decodedSizeBytes : 0;
      at += CELLS_A_PIECE;
    }
    const names = this.#namesOf(slot);
    const pathLength = Math.min(path.length, NAMES_A_SLOT);
    for (let index = 0; index < pathLength; index++) names[index] = path.charCodeAt(index);
    cells[start] = part.job;
    cells[start + 1] = part.number;
    cells[start + 2] = part.offsetBytes;
    cells[start + 3] = part.pieces.length;
    cells[start + 4] = pathLength;
  }

  /** What a slot holds. */
  read(slot: number): PartInCells {
    const start = slot * CELLS_A_SLOT;
    const cell = (at: number) => this.#cells[start + at] as number;
    const path = byteString(this.#namesOf(slot).slice(0, cell(4)));
    const pieces: Piece[] = [];
    const count = cell(3);
    for (let index = 0; index < count; index++) {
      pieces.push(this.#piece(start + CELLS_IN_FRONT + index * CELLS_A_PIECE, path));
    }
    return { job: cell(0), number: cell(1), offsetBytes: cell(2), pieces };
  }

  #namesOf(slot: number): Uint8Array<SharedArrayBuffer> {
    return this.#names.subarray(slot * NAMES_A_SLOT, (slot + 1) * NAMES_A_SLOT);
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
      decodedSizeBytes: cell(9),
      wanted: { offsetBytes: cell(5), sizeBytes: cell(6) },
      of: of ?? { path, backupId: "" },
    };
  }
}
