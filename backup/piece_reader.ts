/**
 * Carries out read plans.
 *
 * @module
 */

import type { Libc } from "../ffi/libc.ts";
import { allocate, type NativeBuffer, offset } from "../ffi/memory.ts";
import { BLOCK_SIZE_BYTES, type Piece } from "./base_tree.ts";
import type { Codecs } from "./codecs.ts";
import { type Counters, newCounters } from "./counters.ts";
import { originDamaged } from "./store_error.ts";

/** What reading takes. */
export interface PieceReaderParts {
  readonly libc: Libc;
  readonly codecs: Codecs;
  /** Counted up. */
  readonly counters?: Counters;
}

type RecordPiece = Extract<Piece, { in: "record" }>;
type FilePiece = Extract<Piece, { in: "file" }>;

/** Payloads are read from the store this many bytes at a time. */
const BATCH_BYTES_MAX = 256 * 1024;
/** A record's header, and the padding of old versions before it, lie between two payloads. */
const GAP_BYTES_MAX = 16;

/** Reads pieces, of the base or of others, into memory. Each thread has its own. */
export class PieceReader {
  readonly #libc: Libc;
  readonly #codecs: Codecs;
  readonly #counters: Counters;
  readonly #payloads = allocate(BATCH_BYTES_MAX);
  readonly #page = allocate(BLOCK_SIZE_BYTES);

  constructor({ libc, codecs, counters }: PieceReaderParts) {
    this.#libc = libc;
    this.#codecs = codecs;
    this.#counters = counters ?? newCounters();
  }

  /**
   * Writes the bytes of `pieces` one after another to `target`, from `offsetBytes` on.
   *
   * @returns Bytes written: the sum of the pieces' sizes.
   * @throws {PbkfsError} `StoreDamaged` if a stored file ends too soon, or a record does not give
   * a page. The target then holds anything.
   * @throws {RangeError} if the target is too small.
   */
  read(pieces: readonly Piece[], target: NativeBuffer, offsetBytes = 0): number {
    let to = offsetBytes;
    for (let at = 0; at < pieces.length;) {
      const piece = pieces[at]!;
      if (to + sizeOf(piece) > target.sizeBytes) {
        throw new RangeError(`A read of ${target.sizeBytes} bytes is planned to give more`);
      }
      if (piece.in === "record") {
        const end = this.#batchEnd(pieces, at);
        to += this.#readRecords(pieces.slice(at, end) as RecordPiece[], target, to);
        at = end;
        continue;
      }
      if (piece.in === "zeros") target.bytes.fill(0, to, to + piece.sizeBytes);
      else if (piece.in === "memory") target.bytes.set(piece.bytes, to);
      else this.#readFile(piece, target, to);
      to += sizeOf(piece);
      at++;
    }
    return to - offsetBytes;
  }

  #readFile({ fd, range, of }: FilePiece, target: NativeBuffer, to: number): void {
    const got = this.#libc.pread(fd, offset(target.address, to), range);
    if (of === undefined) {
      // A file of the diff is sparse: what it does not have is zero.
      if (got < range.sizeBytes) target.bytes.fill(0, to + got, to + range.sizeBytes);
      return;
    }
    this.#counters.storeReads++;
    this.#counters.storeBytesRead += got;
    if (got < range.sizeBytes) {
      const end = range.offsetBytes + got;
      throw originDamaged(of, `its stored file ends at ${end}, in the middle of it`);
    }
  }

  /** Where the run of records ends that begins at `from`, and fits one read of the store. */
  #batchEnd(pieces: readonly Piece[], from: number): number {
    const first = pieces[from] as RecordPiece;
    let before = first;
    for (let at = from + 1; at < pieces.length; at++) {
      const piece = pieces[at]!;
      if (piece.in !== "record" || piece.fd !== first.fd) return at;
      const gap = piece.range.offsetBytes - endOf(before);
      const size = endOf(piece) - first.range.offsetBytes;
      if (gap < 0 || gap > GAP_BYTES_MAX || size > BATCH_BYTES_MAX) return at;
      before = piece;
    }
    return pieces.length;
  }

  #readRecords(records: readonly RecordPiece[], target: NativeBuffer, at: number): number {
    const first = records[0]!;
    const { offsetBytes } = first.range;
    const sizeBytes = endOf(records.at(-1)!) - offsetBytes;
    if (sizeBytes > BATCH_BYTES_MAX) {
      throw originDamaged(first.of, `its record has ${first.range.sizeBytes} bytes`);
    }
    const range = { offsetBytes, sizeBytes };
    const got = this.#libc.pread(first.fd, this.#payloads.address, range);
    this.#counters.storeReads++;
    this.#counters.storeBytesRead += got;
    let to = at;
    for (const record of records) {
      if (endOf(record) - offsetBytes > got) {
        const end = offsetBytes + got;
        throw originDamaged(record.of, `its stored file ends at ${end}, in the middle of it`);
      }
      this.#decode(record, record.range.offsetBytes - offsetBytes, target, to);
      to += record.wanted.sizeBytes;
    }
    return to - at;
  }

  #decode(record: RecordPiece, from: number, target: NativeBuffer, to: number): void {
    const { wanted, range, codec, of } = record;
    // A whole page goes where it belongs at once, a part takes the way through a page of our own.
    const isWhole = wanted.sizeBytes === BLOCK_SIZE_BYTES && wanted.offsetBytes === 0;
    if (isWhole && to + BLOCK_SIZE_BYTES > target.sizeBytes) {
      throw new RangeError(`A read of ${target.sizeBytes} bytes is planned to give more`);
    }
    this.#counters.recordsDecoded++;
    const isSound = this.#codecs.decode({
      codec,
      source: this.#payloads,
      sourceOffsetBytes: from,
      sourceSizeBytes: range.sizeBytes,
      target: isWhole ? target : this.#page,
      targetOffsetBytes: isWhole ? to : 0,
      targetSizeBytes: BLOCK_SIZE_BYTES,
    });
    if (!isSound) {
      throw originDamaged(of, `its record of ${range.sizeBytes} bytes is no page in ${codec}`);
    }
    if (isWhole) return;
    const start = wanted.offsetBytes;
    target.bytes.set(this.#page.bytes.subarray(start, start + wanted.sizeBytes), to);
  }
}

function endOf(record: RecordPiece): number {
  return record.range.offsetBytes + record.range.sizeBytes;
}

/** How many bytes of the file a piece gives. */
export function sizeOf(piece: Piece): number {
  switch (piece.in) {
    case "file":
      return piece.range.sizeBytes;
    case "record":
      return piece.wanted.sizeBytes;
    case "memory":
      return piece.bytes.length;
    case "zeros":
      return piece.sizeBytes;
  }
}
