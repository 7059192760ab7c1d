/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * Extracts parts of files until there are none left.
 *
 * @module
 */

import { type Base, type EntryIndex, PieceReader } from "../../backup/mod.ts";
import { byteStringOf, printable } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { type ExtractJob, type ExtractPart, openForExtract, partsOf } from "./extract.ts";

const CHUNK_BYTES = 1024 * 1024;

self.onmessage = async ({ data }: MessageEvent<ExtractJob>) => {
  try {
    const base = await openForExtract(data);
    const parts = partsOf(base);
    const taken = new Int32Array(data.taken);
    const copy = copier(base, data.targetDir);
    for (let at = Atomics.add(taken, 0, 1); at < parts.length; at = Atomics.add(taken, 0, 1)) {
      copy(parts[at]!);
    }
    base.close();
    self.postMessage({});
  } catch (error) {
    self.postMessage({ error: `Cannot extract: ${error}` });
  }
};

function copier(base: Base, targetDir: string): (part: ExtractPart) => void {
  const libc = systemLibc();
  const reader = new PieceReader(base);
  const chunk = allocate(CHUNK_BYTES);
  return ({ entry, offsetBytes, sizeBytes }) => {
    const { path, mode } = base.entries[entry]!;
    const place = byteStringOf(`${targetDir}/${printable(path)}`);
    const fd = libc.open(place, OPEN.readWrite | OPEN.create, mode);
    for (let at = offsetBytes; at < offsetBytes + sizeBytes;) {
      const wanted = Math.min(CHUNK_BYTES, offsetBytes + sizeBytes - at);
      const range = { offsetBytes: at, sizeBytes: wanted };
      const got = reader.read(base.planRead(entry as EntryIndex, range), chunk);
      libc.pwrite(fd, chunk.address, { offsetBytes: at, sizeBytes: got });
      at += got;
    }
    libc.close(fd);
  };
}
