/**
 * Stores a file as it is.
 *
 * @module
 */

import { crc32c } from "../../../backup/tree/crc32c.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;
const PG_CONTROL_FIELD_STEP_BYTES = 4;

/** CRC32C of a file. */
export function crcOfFile(path: string): number {
  let crc = 0;
  eachChunk(path, (chunk) => crc = crc32c(chunk, crc));
  return crc;
}

/** Copies a file, for its owner only. @returns Its CRC32C. */
export function copyFile(from: string, to: string, mode: number): number {
  using target = Deno.openSync(to, { write: true, createNew: true, mode: mode & 0o777 });
  let crc = 0;
  eachChunk(from, (chunk) => {
    for (let at = 0; at < chunk.length;) at += target.writeSync(chunk.subarray(at));
    crc = crc32c(chunk, crc);
  });
  return crc;
}

function eachChunk(path: string, use: (chunk: Uint8Array) => void): void {
  using file = Deno.openSync(path);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let got = file.readSync(chunk); got !== null; got = file.readSync(chunk)) {
    use(chunk.subarray(0, got));
  }
}

/**
 * The CRC that `pg_control` has of itself: the first field that equals the CRC32C of what is
 * before it.
 */
export function crcOfPgControl(bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 64; at < 1024; at += PG_CONTROL_FIELD_STEP_BYTES) {
    const field = view.getUint32(at, true);
    if (field !== 0 && field === crc32c(bytes.subarray(0, at))) return field;
  }
  throw new Error("This is no pg_control");
}
