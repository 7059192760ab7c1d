/**
 * Compressors of the system: libz, liblz4 and libzstd. pbkfs only reads, so nothing of it compresses;
 * tests and measurements do, to make stores.
 *
 * @module
 */

import { type Span, Z_STREAM, Z_STREAM_SIZE_BYTES } from "./codecs.ts";
import { writeField } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { allocate, toAddress } from "./memory.ts";

/** A compressor from a library. Not safe to share between threads. */
export interface SystemEncoder {
  /** @returns Bytes written to `target`; 0 if it is too small. */
  encode(source: Span, target: Span): number;
}

const Z_FINISH = 4;
const Z_STREAM_END = 1;

const ZLIB = {
  // const char *zlibVersion(void)
  zlibVersion: { parameters: [], result: "pointer" },
  // int deflateInit_(z_stream *stream, int level, const char *version, int streamSize)
  deflateInit_: { parameters: ["usize", "i32", "usize", "i32"], result: "i32" },
  // int deflateReset(z_stream *stream)
  deflateReset: { parameters: ["usize"], result: "i32" },
  // int deflate(z_stream *stream, int flush)
  deflate: { parameters: ["usize", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const LZ4 = {
  // int LZ4_compress_default(const char *source, char *target, int sourceSize, int targetSize)
  LZ4_compress_default: { parameters: ["usize", "usize", "i32", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const ZSTD = {
  // ZSTD_CCtx *ZSTD_createCCtx(void)
  ZSTD_createCCtx: { parameters: [], result: "pointer" },
  // size_t ZSTD_compressCCtx(ZSTD_CCtx *, void *target, size_t, const void *source, size_t, int)
  ZSTD_compressCCtx: {
    parameters: ["usize", "usize", "usize", "usize", "usize", "i32"],
    result: "usize",
  },
  // unsigned ZSTD_isError(size_t result)
  ZSTD_isError: { parameters: ["usize"], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * RFC 1950 streams, the same bytes as compress2(3), which pg_probackup calls.
 *
 * @param level 1 to 9.
 * @throws {PbkfsError} `LibraryMissing`; so do the others here.
 */
export function zlibEncoder(level: number): SystemEncoder {
  const z = openLibrary(["libz.so.1"], ZLIB);
  const stream = allocate(Z_STREAM_SIZE_BYTES);
  const version = toAddress(z.zlibVersion());
  if (z.deflateInit_(stream.address, level, version, Z_STREAM_SIZE_BYTES) !== 0) {
    throw new RangeError(`zlib does not take level ${level}`);
  }
  return {
    encode(source, target) {
      z.deflateReset(stream.address);
      writeField(stream.view, Z_STREAM.nextIn, source.address);
      writeField(stream.view, Z_STREAM.availIn, source.sizeBytes);
      writeField(stream.view, Z_STREAM.nextOut, target.address);
      writeField(stream.view, Z_STREAM.availOut, target.sizeBytes);
      if (z.deflate(stream.address, Z_FINISH) !== Z_STREAM_END) return 0;
      return target.sizeBytes - stream.view.getUint32(Z_STREAM.availOut.at, true);
    },
  };
}

/** Bare LZ4 blocks. */
export function lz4Encoder(): SystemEncoder {
  const lz4 = openLibrary(["liblz4.so.1"], LZ4);
  return {
    encode: (source, target) =>
      lz4.LZ4_compress_default(source.address, target.address, source.sizeBytes, target.sizeBytes),
  };
}

/** Zstandard frames. @param level 1 to 19. */
export function zstdEncoder(level: number): SystemEncoder {
  const zstd = openLibrary(["libzstd.so.1"], ZSTD);
  const context = toAddress(zstd.ZSTD_createCCtx());
  return {
    encode(source, target) {
      const size = zstd.ZSTD_compressCCtx(
        context,
        target.address,
        target.sizeBytes,
        source.address,
        source.sizeBytes,
        level,
      );
      return zstd.ZSTD_isError(Number(size)) === 0 ? Number(size) : 0;
    },
  };
}
