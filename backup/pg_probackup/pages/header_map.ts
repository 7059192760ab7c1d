/**
 * Page headers as `page_header_map` keeps them, since pg_probackup 2.4.0.
 *
 * @module
 */

import { BLOCK_SIZE_BYTES } from "../../tree/base_tree.ts";
import { crc32c } from "../../tree/crc32c.ts";

/** Size of one element: LSN, block, position, checksum and padding. */
export const HEADER_SIZE_BYTES = 24;
const BLOCK_AT = 8;
const POSITION_AT = 12;
const RECORD_HEADER_BYTES = 8;

/** What the region must agree with. */
export interface HeaderMapFacts {
  /** Records, without the sentinel. */
  readonly count: number;
  readonly crc: number;
  /** Size of the stored file. */
  readonly storedSizeBytes: number;
  readonly blocksMax: number;
}

/**
 * Calls `add` for every record that an inflated region describes, in order of blocks, with the
 * block, and position and size of the payload.
 *
 * @param region Exactly `count + 1` elements; the last one only tells where the file ends.
 * @param add Returns false to stop.
 * @returns What is wrong with the region, if anything. Records may have been added before.
 * @see BackupPageHeader2 in pg_probackup, src/pg_probackup.h
 */
export function readHeaderMap(
  region: Uint8Array<ArrayBuffer>,
  facts: HeaderMapFacts,
  add: (block: number, offsetBytes: number, sizeBytes: number) => boolean,
): string | undefined {
  const { count, storedSizeBytes, blocksMax } = facts;
  const found = crc32c(region);
  if (found !== facts.crc) return `the CRC of its page headers is ${found}, expected ${facts.crc}`;
  const view = new DataView(region.buffer, region.byteOffset, region.length);
  const end = view.getInt32(count * HEADER_SIZE_BYTES + POSITION_AT, true);
  if (end !== storedSizeBytes) {
    return `its page headers end at ${end}, but its stored file has ${storedSizeBytes} bytes`;
  }
  let blockBefore = -1;
  let position = view.getInt32(POSITION_AT, true);
  if (position !== 0) return `its first page header points to ${position}, expected 0`;
  for (let at = 0; at < count * HEADER_SIZE_BYTES; at += HEADER_SIZE_BYTES) {
    const block = view.getInt32(at + BLOCK_AT, true);
    const next = view.getInt32(at + HEADER_SIZE_BYTES + POSITION_AT, true);
    const sizeBytes = next - position - RECORD_HEADER_BYTES;
    if (block <= blockBefore || block >= blocksMax) {
      return `its page header of block ${block} follows that of block ${blockBefore}`;
    }
    if (sizeBytes < 1 || sizeBytes > BLOCK_SIZE_BYTES) {
      return `its page header gives block ${block} ${sizeBytes} bytes, expected 1 to ${BLOCK_SIZE_BYTES}`;
    }
    if (!add(block, position + RECORD_HEADER_BYTES, sizeBytes)) return undefined;
    blockBefore = block;
    position = next;
  }
  return undefined;
}
