/**
 * Decoders that need no library of the system. They are loaded when asked for.
 *
 * @module
 */

import { isLz4BlockOf } from "./lz4_block.ts";

/** @returns Whether `source` is sound, and filled `target` exactly. */
export type DecodeArrays = (source: Uint8Array, target: Uint8Array<ArrayBuffer>) => boolean;

type ZstdPackage = typeof import("@bokuweb/zstd-wasm");

let zstdPackage: Promise<ZstdPackage> | undefined;

/**
 * The WebAssembly build of zstd, made ready. This happens once in a thread: a second `init` would
 * pull the memory away from under the first.
 */
export function loadZstdPackage(): Promise<ZstdPackage> {
  return zstdPackage ??= import("@bokuweb/zstd-wasm").then(async (zstd) => {
    await zstd.init();
    return zstd;
  });
}

/** Zstandard frames; the size that they tell is checked before. */
export async function portableZstd(): Promise<DecodeArrays> {
  const zstd = await loadZstdPackage();
  return (source, target) => {
    try {
      // Where the frame does not tell its size, this is the room that it gets.
      return copyWhole(zstd.decompress(source, { defaultHeapSize: target.length }), target);
    } catch {
      return false;
    }
  };
}

/** Bare LZ4 blocks; see `lz4_block.ts` for why they are looked at before. */
export async function portableLz4(): Promise<DecodeArrays> {
  const { decompressBlock } = await import("lz4js");
  return (source, target) =>
    isLz4BlockOf(source, target.length) &&
    decompressBlock(source, target, 0, source.length, 0) === target.length;
}

/** RFC 1950 streams. Bytes after the end of the stream are ignored, as libz does. */
export async function portableZlib(): Promise<DecodeArrays> {
  const pako = await import("pako");
  const stream = new pako.ZStream();
  pako.zlibInflateInit(stream);
  return (source, target) => {
    pako.zlibInflateReset(stream);
    stream.input = source;
    stream.next_in = 0;
    stream.avail_in = source.length;
    stream.output = target;
    stream.next_out = 0;
    stream.avail_out = target.length;
    return pako.zlibInflate(stream, pako.Z_FINISH) === pako.Z_STREAM_END && stream.avail_out === 0;
  };
}

/** For pages that are stored as they are. */
export function copyWhole(source: Uint8Array, target: Uint8Array<ArrayBuffer>): boolean {
  if (source.length !== target.length) return false;
  target.set(source);
  return true;
}
