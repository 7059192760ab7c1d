/**
 * Reads files of a base, for programs that do not mount it.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { type ByteString, printable } from "../../ffi/bytes.ts";
import { allocate } from "../../ffi/memory.ts";
import type { EntryIndex } from "./base_tree.ts";
import type { Base } from "./base.ts";
import { PieceReader } from "./piece_reader.ts";

const CHUNK_BYTES = 1024 * 1024;

/**
 * Reads a whole file.
 *
 * @param file Its path, or its entry.
 * @throws {PbkfsError} `StoreDamaged`; `Usage` if there is no such file.
 */
export function readFile(base: Base, file: ByteString | EntryIndex): Uint8Array<ArrayBuffer> {
  const entry = entryOf(base, file);
  const target = allocate(base.sizeBytes(entry));
  let at = 0;
  const reader = new PieceReader(base);
  while (at < target.sizeBytes) {
    const range = { offsetBytes: at, sizeBytes: Math.min(CHUNK_BYTES, target.sizeBytes - at) };
    at += reader.read(base.planRead(entry, range), target, at);
  }
  return target.bytes;
}

function entryOf(base: Base, file: ByteString | EntryIndex): EntryIndex {
  const entry = typeof file === "number" ? file : base.find(file);
  if (entry !== undefined && base.entries[entry]?.kind === "file") return entry;
  const name = typeof file === "number" ? `entry ${file}` : `"${printable(file)}"`;
  throw new PbkfsError("Usage", {
    what: `The backup has no file ${name}`,
    todo: "Give a path relative to the data directory.",
  });
}
