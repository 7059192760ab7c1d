/**
 * Turns stored bytes into pages.
 *
 * @module
 */

import {
  type SystemDecoder,
  systemDeflate,
  systemLz4,
  systemZlib,
  systemZstd,
} from "../../ffi/codecs.ts";
import { type NativeBuffer, offset } from "../../ffi/memory.ts";
import { BLOCK_SIZE_BYTES, type Codec, type Piece } from "./base_tree.ts";
import { decodePglz } from "./pglz.ts";
import {
  copyWhole,
  type DecodeArrays,
  portableLz4,
  portableZlib,
  portableZstd,
} from "./portable_codecs.ts";
import { isZstdFrameOf } from "./zstd_frame.ts";

/** What to decode, and where to. */
export interface DecodeRequest {
  readonly codec: Codec;
  readonly source: NativeBuffer;
  readonly sourceOffsetBytes: number;
  readonly sourceSizeBytes: number;
  readonly target: NativeBuffer;
  readonly targetOffsetBytes: number;
  /** Exactly as many bytes must come out. */
  readonly targetSizeBytes: number;
}

/** The decoders of one thread. */
export interface Codecs {
  /** Who decodes: a library such as `libz.so.1`, or `built in`. */
  readonly origins: Readonly<Record<Codec, string>>;
  /**
   * Decodes the whole source.
   *
   * @returns false if it is damaged or does not give exactly the bytes expected. The target then
   * holds anything.
   */
  decode(request: DecodeRequest): boolean;
}

/** How to choose decoders. */
export interface CodecsOptions {
  /** false: do without libraries of the system. What is decoded is the same. */
  readonly system?: boolean;
}

/**
 * What decoding a page takes, in microseconds, by measurement. What is stored as it is does not
 * count: copying it is quicker than waking a thread.
 */
const MICROS_A_PAGE: Readonly<Record<Codec, number>> = {
  ...{ none: 0, lz4: 1, zstd: 6, zlib: 8, pglz: 20 },
};

/** What decoding a piece takes, in microseconds. */
export function decodingMicros(piece: Piece): number {
  if (piece.in !== "record") return 0;
  return MICROS_A_PAGE[piece.codec] * (piece.decodedSizeBytes / BLOCK_SIZE_BYTES);
}

type Decode = (request: DecodeRequest) => boolean;

/**
 * Loads the decoders: libraries of the system where it has them, since they write to an address
 * and are faster, else what comes with pbkfs.
 */
export async function loadCodecs(options: CodecsOptions = {}): Promise<Codecs> {
  const wanted = options.system ?? true;
  const zlib = wanted ? (systemDeflate() ?? systemZlib()) : undefined;
  const lz4 = wanted ? systemLz4() : undefined;
  const zstd = wanted ? systemZstd() : undefined;
  const zstdDecode = zstd === undefined ? onArrays(await portableZstd()) : onAddresses(zstd);
  const decoders: Record<Codec, Decode> = {
    none: onArrays(copyWhole),
    zlib: zlib === undefined ? onArrays(await portableZlib()) : onAddresses(zlib),
    pglz: onArrays(decodePglz),
    lz4: lz4 === undefined ? onArrays(await portableLz4()) : onAddresses(lz4),
    zstd: (request) =>
      isZstdFrameOf(sourceOf(request), request.targetSizeBytes) &&
      zstdDecode(request),
  };
  const builtIn = "built in";
  return {
    origins: {
      none: builtIn,
      zlib: zlib?.library ?? builtIn,
      pglz: builtIn,
      lz4: lz4?.library ?? builtIn,
      zstd: zstd?.library ?? builtIn,
    },
    decode: (request) => decoders[request.codec](request),
  };
}

function sourceOf({ source, sourceOffsetBytes, sourceSizeBytes }: DecodeRequest): Uint8Array {
  return source.bytes.subarray(sourceOffsetBytes, sourceOffsetBytes + sourceSizeBytes);
}

function onArrays(decode: DecodeArrays): Decode {
  return (request) => {
    const { target, targetOffsetBytes, targetSizeBytes } = request;
    const end = targetOffsetBytes + targetSizeBytes;
    return decode(sourceOf(request), target.bytes.subarray(targetOffsetBytes, end));
  };
}

function onAddresses(decoder: SystemDecoder): Decode {
  return (request) =>
    decoder.decode(
      {
        address: offset(request.source.address, request.sourceOffsetBytes),
        sizeBytes: request.sourceSizeBytes,
      },
      {
        address: offset(request.target.address, request.targetOffsetBytes),
        sizeBytes: request.targetSizeBytes,
      },
    );
}
