/**
 * Decompressors of the system: libdeflate, libz, liblz4 and libzstd, each for input and output of which the
 * whole lies in memory and the sizes are known.
 *
 * @module
 */

import { type Layout, writeField } from "./layout.ts";
import { tryOpenLibrary } from "./library.ts";
import { type Address, allocate, toAddress } from "./memory.ts";

/** A piece of memory. */
export interface Span {
  readonly address: Address;
  readonly sizeBytes: number;
}

/** A decompressor from a library. Not safe to share between threads. */
export interface SystemDecoder {
  /** The library, as it was opened. */
  readonly library: string;
  /** @returns Whether `source` is sound, and filled `target` exactly. */
  decode(source: Span, target: Span): boolean;
}

/** `z_stream`, zlib.h, on 64-bit processors. */
export const Z_STREAM = {
  nextIn: { kind: "u64", at: 0 },
  availIn: { kind: "u32", at: 8 },
  nextOut: { kind: "u64", at: 24 },
  availOut: { kind: "u32", at: 32 },
} as const satisfies Layout;

/** `sizeof (z_stream)`: zlib refuses callers that disagree. */
export const Z_STREAM_SIZE_BYTES = 112;

const Z_FINISH = 4;
const Z_STREAM_END = 1;

const ZLIB = {
  // const char *zlibVersion(void)
  zlibVersion: { parameters: [], result: "pointer" },
  // int inflateInit_(z_stream *stream, const char *version, int streamSize)
  inflateInit_: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int inflateReset(z_stream *stream)
  inflateReset: { parameters: ["usize"], result: "i32" },
  // int inflate(z_stream *stream, int flush)
  inflate: { parameters: ["usize", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const DEFLATE = {
  // struct libdeflate_decompressor *libdeflate_alloc_decompressor(void)
  libdeflate_alloc_decompressor: { parameters: [], result: "pointer" },
  // enum libdeflate_result libdeflate_zlib_decompress(struct libdeflate_decompressor *,
  //     const void *source, size_t, void *target, size_t, size_t *written)
  libdeflate_zlib_decompress: {
    parameters: ["usize", "usize", "usize", "usize", "usize", "usize"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const LZ4 = {
  // int LZ4_decompress_safe(const char *source, char *target, int sourceSize, int targetSize)
  LZ4_decompress_safe: { parameters: ["usize", "usize", "i32", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const ZSTD = {
  // ZSTD_DCtx *ZSTD_createDCtx(void)
  ZSTD_createDCtx: { parameters: [], result: "pointer" },
  // size_t ZSTD_decompressDCtx(ZSTD_DCtx *, void *target, size_t, const void *source, size_t)
  ZSTD_decompressDCtx: {
    parameters: ["usize", "usize", "usize", "usize", "usize"],
    result: "usize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * RFC 1950 streams. Bytes after the end of the stream are ignored, as uncompress(3) does, which
 * pg_probackup calls.
 *
 * @returns undefined if the machine has no libz.
 */
export function systemZlib(): SystemDecoder | undefined {
  const found = tryOpenLibrary(["libz.so.1"], ZLIB);
  if ("reason" in found) return undefined;
  const { functions: z, name } = found;
  const stream = allocate(Z_STREAM_SIZE_BYTES);
  const version = toAddress(z.zlibVersion());
  if (z.inflateInit_(stream.address, version, Z_STREAM_SIZE_BYTES) !== 0) return undefined;
  return {
    library: name,
    decode(source, target) {
      z.inflateReset(stream.address);
      writeField(stream.view, Z_STREAM.nextIn, source.address);
      writeField(stream.view, Z_STREAM.availIn, source.sizeBytes);
      writeField(stream.view, Z_STREAM.nextOut, target.address);
      writeField(stream.view, Z_STREAM.availOut, target.sizeBytes);
      const result = z.inflate(stream.address, Z_FINISH);
      return result === Z_STREAM_END && stream.view.getUint32(Z_STREAM.availOut.at, true) === 0;
    },
  };
}

/**
 * As {@link systemZlib}, in half the time, since it does not stream.
 *
 * @returns undefined if the machine has no libdeflate.
 */
export function systemDeflate(): SystemDecoder | undefined {
  const found = tryOpenLibrary(["libdeflate.so.0"], DEFLATE);
  if ("reason" in found) return undefined;
  const { functions: deflate, name } = found;
  const decompressor = toAddress(deflate.libdeflate_alloc_decompressor());
  if (decompressor === 0) return undefined;
  return {
    library: name,
    decode(source, target) {
      // Without a place to tell the size, it must be the target's exactly.
      const { address, sizeBytes } = target;
      const result = deflate.libdeflate_zlib_decompress(
        decompressor,
        source.address,
        source.sizeBytes,
        address,
        sizeBytes,
        0,
      );
      return result === 0;
    },
  };
}

/** Bare LZ4 blocks, without frame or length. @returns undefined without liblz4. */
export function systemLz4(): SystemDecoder | undefined {
  const found = tryOpenLibrary(["liblz4.so.1"], LZ4);
  if ("reason" in found) return undefined;
  const { functions: lz4, name } = found;
  return {
    library: name,
    decode(source, target) {
      const size = lz4.LZ4_decompress_safe(
        source.address,
        target.address,
        source.sizeBytes,
        target.sizeBytes,
      );
      return size === target.sizeBytes;
    },
  };
}

/** Zstandard frames. @returns undefined without libzstd. */
export function systemZstd(): SystemDecoder | undefined {
  const found = tryOpenLibrary(["libzstd.so.1"], ZSTD);
  if ("reason" in found) return undefined;
  const { functions: zstd, name } = found;
  // One context for all pages: making one costs more than a page does.
  const context = toAddress(zstd.ZSTD_createDCtx());
  if (context === 0) return undefined;
  return {
    library: name,
    decode(source, target) {
      const size = zstd.ZSTD_decompressDCtx(
        context,
        target.address,
        target.sizeBytes,
        source.address,
        source.sizeBytes,
      );
      return size === BigInt(target.sizeBytes);
    },
  };
}
