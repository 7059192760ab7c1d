/**
 * Compresses pages with every codec that pbkfs reads.
 *
 * @module
 */

import type { Codec } from "../../../backup/mod.ts";
import { encodePglz } from "../../../testing/backup/pglz_encoder.ts";
import { lz4Encoder, zlibEncoder, zstdEncoder } from "../../../ffi/encoders.ts";
import { type NativeBuffer, offset } from "../../../ffi/memory.ts";

/** A page, and where its payload goes. */
export interface PageJob {
  readonly source: NativeBuffer;
  readonly sourceOffsetBytes: number;
  readonly target: NativeBuffer;
  readonly targetOffsetBytes: number;
}

/** @returns Size of the payload: 8192 if the page does not shrink, and is stored as it is. */
export type EncodePage = (job: PageJob) => number;

const PAGE_BYTES = 8192;

/** @param level Of zlib and zstd; the others have none. */
export function pageEncoder(codec: Codec, level: number): EncodePage {
  const pack = packer(codec, level);
  return (job) => {
    const size = pack(job);
    if (size > 0 && size < PAGE_BYTES) return size;
    const { source, sourceOffsetBytes: from, target, targetOffsetBytes } = job;
    target.bytes.set(source.bytes.subarray(from, from + PAGE_BYTES), targetOffsetBytes);
    return PAGE_BYTES;
  };
}

/** As {@link EncodePage}, but 0, or anything from 8192 on, if the page does not shrink. */
function packer(codec: Codec, level: number): EncodePage {
  if (codec === "none") return () => 0;
  if (codec === "pglz") {
    return ({ source, sourceOffsetBytes: from, target, targetOffsetBytes }) => {
      const packed = encodePglz(source.bytes.subarray(from, from + PAGE_BYTES));
      if (packed.length < PAGE_BYTES) target.bytes.set(packed, targetOffsetBytes);
      return packed.length;
    };
  }
  const encoder = codec === "zlib"
    ? zlibEncoder(level)
    : codec === "lz4"
    ? lz4Encoder()
    : zstdEncoder(level);
  return ({ source, sourceOffsetBytes, target, targetOffsetBytes }) =>
    encoder.encode(
      { address: offset(source.address, sourceOffsetBytes), sizeBytes: PAGE_BYTES },
      { address: offset(target.address, targetOffsetBytes), sizeBytes: PAGE_BYTES },
    );
}
