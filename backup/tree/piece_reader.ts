/**
 * Carries out read plans.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { IoVectors, type Libc } from "../../ffi/libc.ts";
import { allocate, type NativeBuffer, offset } from "../../ffi/memory.ts";
import { BLOCK_SIZE_BYTES, type Piece, RECORD_BYTES_MAX } from "./base_tree.ts";
import type { Codecs } from "./codecs.ts";
import { newStoreCounters, type StoreCounters } from "./store_counters.ts";
import { originDamaged } from "./store_error.ts";

/** What reading takes. */
export interface PieceReaderParts {
  readonly libc: Libc;
  readonly codecs: Codecs;
  /** Counted up. */
  readonly counters?: StoreCounters;
}

type RecordPiece = Extract<Piece, { in: "record" }>;
type FilePiece = Extract<Piece, { in: "file" }>;

/** Payloads are read from the store this many bytes at a time, or one that is longer. */
const BATCH_BYTES_MAX = 256 * 1024;
/** A record's header, and the padding of old versions before it, lie between two payloads. */
const GAP_BYTES_MAX = 16;
/** Pages read with one call; each takes two vectors, one for the gap before it. */
const PAGES_A_CALL = 128;

/** Reads pieces, of the base or of others, into memory. Each thread has its own. */
export class PieceReader {
  readonly #libc: Libc;
  readonly #codecs: Codecs;
  readonly #counters: StoreCounters;
  /** Both grow to what the longest record so far has taken. */
  #payloads = allocate(BATCH_BYTES_MAX);
  #decoded = allocate(BLOCK_SIZE_BYTES);
  readonly #vectors = new IoVectors(2 * PAGES_A_CALL);
  readonly #gap = allocate(GAP_BYTES_MAX);

  constructor({ libc, codecs, counters }: PieceReaderParts) {
    this.#libc = libc;
    this.#codecs = codecs;
    this.#counters = counters ?? newStoreCounters();
  }

  /**
   * Writes the bytes of `pieces` one after another to `target`, from `offsetBytes` on.
   *
   * @returns Bytes written: the sum of the pieces' sizes.
   * @throws {PbkfsError} `StoreDamaged` if a stored file ends too soon, or a record does not give
   * what it should. The target then holds anything.
   * @throws {RangeError} if the target is too small, or a piece wants more than comes out.
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
      if (piece.in === "file") {
        const count = this.#readRun(pieces, at, target, to);
        for (const end = at + count; at < end; at++) to += sizeOf(pieces[at]!);
        continue;
      }
      if (piece.in === "zeros") target.bytes.fill(0, to, to + piece.sizeBytes);
      else target.bytes.set(piece.bytes, to);
      to += sizeOf(piece);
      at++;
    }
    return to - offsetBytes;
  }

  /** Reads pieces that lie together in one file. @returns How many. */
  #readRun(pieces: readonly Piece[], from: number, target: NativeBuffer, to: number): number {
    const first = pieces[from] as FilePiece;
    if (first.of === undefined) {
      this.#readFile(first, target, to);
      return 1;
    }
    const vectors = this.#vectors;
    vectors.clear();
    let at = from;
    let targetOffset = to;
    for (let end = first.range.offsetBytes; at < pieces.length && at - from < PAGES_A_CALL; at++) {
      const piece = pieces[at]!;
      if (piece.in !== "file" || piece.fd !== first.fd) break;
      const { offsetBytes, sizeBytes } = piece.range;
      const gap = offsetBytes - end;
      if (gap < 0 || gap > GAP_BYTES_MAX || targetOffset + sizeBytes > target.sizeBytes) break;
      if (gap > 0) vectors.add(this.#gap.address, gap);
      vectors.add(offset(target.address, targetOffset), sizeBytes);
      targetOffset += sizeBytes;
      end = offsetBytes + sizeBytes;
    }
    if (at > from + 1) {
      const { offsetBytes } = first.range;
      const end = offsetBytes + this.#libc.preadv(first.fd, vectors, offsetBytes);
      this.#counters.storeReads++;
      this.#counters.storeBytesRead += end - offsetBytes;
      while (at > from && endOf(pieces[at - 1] as FilePiece) > end) at--;
      if (at > from) return at - from;
    }
    // By itself, which tells where it ends.
    this.#readFile(first, target, to);
    return 1;
  }

  #readFile({ fd, range, of, isHeld }: FilePiece, target: NativeBuffer, to: number): void {
    const got = this.#libc.pread(fd, offset(target.address, to), range);
    if (of === undefined) {
      if (got < range.sizeBytes && isHeld === true) throw heldMissing(range.offsetBytes + got);
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
    if (sizeBytes > this.#payloads.sizeBytes) {
      // One record: several are no more than a batch.
      if (sizeBytes > RECORD_BYTES_MAX) {
        throw originDamaged(first.of, `its record has ${sizeBytes} bytes`);
      }
      this.#payloads = allocate(sizeBytes);
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
    const { wanted, range, codec, decodedSizeBytes } = record;
    const { offsetBytes: start, sizeBytes } = wanted;
    if (start + sizeBytes > decodedSizeBytes) {
      throw new RangeError(`A piece wants more than the ${decodedSizeBytes} bytes that there are`);
    }
    // What is wanted as a whole goes where it belongs at once, a part by way of memory of our own.
    const isWhole = sizeBytes === decodedSizeBytes;
    if (isWhole && to + sizeBytes > target.sizeBytes) {
      throw new RangeError(`A read of ${target.sizeBytes} bytes is planned to give more`);
    }
    if (!isWhole && decodedSizeBytes > this.#decoded.sizeBytes) this.#growFor(record);
    this.#counters.recordsDecoded++;
    const isSound = this.#codecs.decode({
      codec,
      source: this.#payloads,
      sourceOffsetBytes: from,
      sourceSizeBytes: range.sizeBytes,
      target: isWhole ? target : this.#decoded,
      targetOffsetBytes: isWhole ? to : 0,
      targetSizeBytes: decodedSizeBytes,
    });
    if (!isSound) throw notDecoded(record);
    if (!isWhole) target.bytes.set(this.#decoded.bytes.subarray(start, start + sizeBytes), to);
  }

  /** @throws {PbkfsError} `StoreDamaged` if the record claims to hold more than any does. */
  #growFor({ decodedSizeBytes, of }: RecordPiece): void {
    if (decodedSizeBytes > RECORD_BYTES_MAX) {
      throw originDamaged(of, `its record is said to hold ${decodedSizeBytes} bytes`);
    }
    this.#decoded = allocate(decodedSizeBytes);
  }
}

function notDecoded({ range, codec, decodedSizeBytes, of }: RecordPiece): PbkfsError {
  const what = decodedSizeBytes === BLOCK_SIZE_BYTES
    ? "is no page"
    : `does not give ${decodedSizeBytes} bytes`;
  return originDamaged(of, `its record of ${range.sizeBytes} bytes ${what} in ${codec}`);
}

/** @param endBytes Where a file of the diff ends that holds more. */
export function heldMissing(endBytes: number): PbkfsError {
  return new PbkfsError("DiffDamaged", {
    what: `A data file of the diff ends at ${endBytes}, in the middle of what it holds`,
    todo: "Unmount, and look at it with: pbkfs verify.",
  });
}

function endOf(piece: RecordPiece | FilePiece): number {
  return piece.range.offsetBytes + piece.range.sizeBytes;
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
