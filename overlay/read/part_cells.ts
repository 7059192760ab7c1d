/**
 * A part of a read as numbers in shared memory: its pieces, and where their bytes go.
 *
 * Each slot has cells for one part. Whose turn it is to fill or empty a slot, `ReadQueue` knows.
 *
 * @module
 */

import { type Codec, CODECS, type Piece } from "../../backup/mod.ts";
import { type ByteString, byteString } from "../../ffi/bytes.ts";
import type { Fd } from "../../ffi/libc.ts";
import { layoutOf, plainRecord } from "../../threads/mod.ts";

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
/** A part, but for its pieces. Its cells, like those of a piece, are numbers of eight bytes. */
const PART = plainRecord(["job", "number", "offsetBytes", "pieceCount", "pathLength"]);
/** A piece. What it does not have is {@link NONE}. */
const PIECE = plainRecord([
  /** One of {@link KIND}. */
  "kind",
  "fd",
  "offsetBytes",
  "sizeBytes",
  /** Of a record: its index in {@link CODECS}, what comes out of it, and what of that is wanted. */
  "codec",
  "decodedSizeBytes",
  "wantedOffsetBytes",
  "wantedSizeBytes",
  /** What it is of: an index among the ids of the backups, and a block. */
  "backup",
  "block",
]);
/** All of a slot. */
const SLOT = layoutOf({ part: PART.size, pieces: PIECES_MAX * PIECE.size });
/** For the path: the longest that Linux takes, and a name. */
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
    cells: new SharedArrayBuffer(slots * SLOT.size * 8),
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
    const start = slot * SLOT.size;
    let path = "";
    let at = start + SLOT.at.pieces;
    for (const piece of part.pieces) {
      if (!isStored(piece)) throw new TypeError("Bytes in memory cannot be handed over");
      const isZeros = piece.in === "zeros";
      const of = isZeros ? undefined : piece.of;
      if (of !== undefined) path = of.path;
      PIECE.write(cells, at, {
        kind: KIND[piece.in],
        fd: isZeros ? NONE : copyOf(piece.fd),
        offsetBytes: isZeros ? 0 : piece.range.offsetBytes,
        sizeBytes: isZeros ? piece.sizeBytes : piece.range.sizeBytes,
        codec: piece.in === "record" ? CODECS.indexOf(piece.codec) : NONE,
        decodedSizeBytes: piece.in === "record" ? piece.decodedSizeBytes : 0,
        wantedOffsetBytes: piece.in === "record" ? piece.wanted.offsetBytes : 0,
        wantedSizeBytes: piece.in === "record" ? piece.wanted.sizeBytes : 0,
        backup: of === undefined ? NONE : this.#backupIds.indexOf(of.backupId),
        block: of?.block ?? NONE,
      });
      at += PIECE.size;
    }
    const names = this.#namesOf(slot);
    const pathLength = Math.min(path.length, NAMES_A_SLOT);
    for (let index = 0; index < pathLength; index++) names[index] = path.charCodeAt(index);
    const { job, number, offsetBytes } = part;
    const pieceCount = part.pieces.length;
    PART.write(cells, start, { job, number, offsetBytes, pieceCount, pathLength });
  }

  /** What a slot holds. */
  read(slot: number): PartInCells {
    const start = slot * SLOT.size;
    const { job, number, offsetBytes, pieceCount, pathLength } = PART.read(this.#cells, start);
    const path = byteString(this.#namesOf(slot).slice(0, pathLength));
    const pieces: Piece[] = [];
    for (let index = 0; index < pieceCount; index++) {
      pieces.push(this.#piece(start + SLOT.at.pieces + index * PIECE.size, path));
    }
    return { job, number, offsetBytes, pieces };
  }

  #namesOf(slot: number): Uint8Array<SharedArrayBuffer> {
    return this.#names.subarray(slot * NAMES_A_SLOT, (slot + 1) * NAMES_A_SLOT);
  }

  #piece(at: number, path: ByteString): Piece {
    const cells = PIECE.read(this.#cells, at);
    const { kind, offsetBytes, sizeBytes } = cells;
    if (kind === KIND.zeros) return { in: "zeros", sizeBytes };
    const fd = cells.fd as Fd;
    const range = { offsetBytes, sizeBytes };
    const backupId = this.#backupIds[cells.backup];
    const block = cells.block === NONE ? {} : { block: cells.block };
    const of = backupId === undefined ? undefined : { path, backupId, ...block };
    if (kind === KIND.file) return { in: "file", fd, range, ...(of !== undefined && { of }) };
    return {
      in: "record",
      fd,
      range,
      codec: CODECS[cells.codec] as Codec,
      decodedSizeBytes: cells.decodedSizeBytes,
      wanted: { offsetBytes: cells.wantedOffsetBytes, sizeBytes: cells.wantedSizeBytes },
      of: of ?? { path, backupId: "" },
    };
  }
}
