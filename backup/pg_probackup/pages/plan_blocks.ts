/**
 * From a range of bytes of a data file to pieces, one a page.
 *
 * @module
 */

import type { ByteRange, Fd } from "../../../ffi/libc.ts";
import {
  BLOCK_SIZE_BYTES,
  type Codec,
  type Piece,
  type StoreOrigin,
} from "../../tree/base_tree.ts";
import type { PageIndex } from "./page_index.ts";
import { originDamaged } from "../../tree/store_error.ts";

/** What a member of the chain contributes to a file. */
export interface PieceSource {
  readonly fd: Fd;
  readonly codec: Codec;
  readonly of: StoreOrigin;
}

/**
 * Plans a read of the bytes of `range`, which lies inside the file.
 *
 * @param sourceOf Gives the stored file of a member; it is asked for each member once, and told
 * the block that it is needed for.
 * @throws {PbkfsError} `StoreDamaged` if a page is compressed, but nobody knows how.
 */
export function planBlocks(
  index: PageIndex,
  range: ByteRange,
  sourceOf: (member: number, block: number) => PieceSource,
): Piece[] {
  const pieces: Piece[] = [];
  const sourceFor = rememberingSources(sourceOf);
  const end = range.offsetBytes + range.sizeBytes;
  let zeros = 0;
  for (let at = range.offsetBytes; at < end;) {
    const block = Math.floor(at / BLOCK_SIZE_BYTES);
    const next = Math.min(end, (block + 1) * BLOCK_SIZE_BYTES);
    const wanted = { offsetBytes: at - block * BLOCK_SIZE_BYTES, sizeBytes: next - at };
    at = next;
    const record = index.record(block);
    if (record === undefined) {
      zeros += wanted.sizeBytes;
      continue;
    }
    if (zeros > 0) pieces.push({ in: "zeros", sizeBytes: zeros });
    zeros = 0;
    const source = sourceFor(record.member, block);
    const { fd, codec } = source;
    const of = { ...source.of, block };
    if (!record.isCompressed) {
      const offsetBytes = record.offsetBytes + wanted.offsetBytes;
      pieces.push({ in: "file", fd, range: { offsetBytes, sizeBytes: wanted.sizeBytes }, of });
      continue;
    }
    if (codec === "none") {
      throw originDamaged(of, `its page has ${record.sizeBytes} bytes, but no compress_alg`);
    }
    const { offsetBytes, sizeBytes } = record;
    // Spelt out: a spread costs as much as the rest of planning a page.
    pieces.push({
      in: "record",
      fd,
      range: { offsetBytes, sizeBytes },
      codec,
      decodedSizeBytes: BLOCK_SIZE_BYTES,
      wanted,
      of,
    });
  }
  if (zeros > 0) pieces.push({ in: "zeros", sizeBytes: zeros });
  return pieces;
}

/** Most reads are of one page, and need one member: no list is made for it. */
function rememberingSources(
  sourceOf: (member: number, block: number) => PieceSource,
): (member: number, block: number) => PieceSource {
  let lastMember = -1;
  let last: PieceSource | undefined;
  let others: Map<number, PieceSource> | undefined;
  return (member, block) => {
    if (last !== undefined && member === lastMember) return last;
    if (last !== undefined) (others ??= new Map()).set(lastMember, last);
    last = others?.get(member) ?? sourceOf(member, block);
    lastMember = member;
    return last;
  };
}
