/**
 * Where a fake base has its bytes: one file, in which pages lie as they do in a store, some as they
 * are, some compressed, and some not at all. What has no pages lies there in longer units, as other
 * kinds of backups have them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { deflateSync } from "node:zlib";
import type { Piece } from "../../backup/mod.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { type ByteRange, type Fd, OPEN, systemLibc } from "../../ffi/libc.ts";
import { PAGE_SIZE_BYTES } from "../../overlay/content/file_content.ts";

/** A file that is stored. */
export interface FakeFile {
  readonly path: string;
  readonly isDataFile: boolean;
  readonly bytes: Uint8Array;
}

/** Where a unit lies; undefined: nowhere, it is a hole. */
type Stored = {
  readonly codec: "none" | "zlib";
  readonly range: ByteRange;
  readonly decodedSizeBytes: number;
};

/** Units of files that have no pages. */
const LONG_UNIT_BYTES = 64 * 1024;

/** What is not longer is in no file, like contents that are made up. */
const IN_MEMORY_BYTES_MAX = 50;
const NO_PAGE = new Uint8Array(PAGE_SIZE_BYTES);

/** Whether a page of a data file counts as one that nobody has stored. */
export function isHole({ isDataFile, bytes }: Omit<FakeFile, "path">, page: number): boolean {
  const found = bytes.subarray(page * PAGE_SIZE_BYTES, (page + 1) * PAGE_SIZE_BYTES);
  return isDataFile && Buffer.compare(found, NO_PAGE.subarray(0, found.length)) === 0;
}

/** Files as they are stored. The file with their bytes has no name, and is there until it is closed. */
export class FakeStore {
  readonly #stored = new Map<FakeFile, readonly (Stored | undefined)[]>();
  readonly #fd: Fd;

  constructor(files: readonly FakeFile[]) {
    const parts: Uint8Array[] = [];
    let end = 0;
    const store = (
      codec: "none" | "zlib",
      decoded: Uint8Array,
      bytes = decoded,
    ): Stored => {
      parts.push(bytes);
      end += bytes.length;
      const range = { offsetBytes: end - bytes.length, sizeBytes: bytes.length };
      return { codec, range, decodedSizeBytes: decoded.length };
    };
    for (const file of files) {
      const { bytes, isDataFile } = file;
      const unitBytes = unitBytesOf(file);
      const storeUnit = (_: unknown, unit: number): Stored | undefined => {
        if (isHole(file, unit)) return undefined;
        const part = bytes.subarray(unit * unitBytes, (unit + 1) * unitBytes);
        const whole = isDataFile ? new Uint8Array(PAGE_SIZE_BYTES) : part;
        if (isDataFile) whole.set(part);
        const isPacked = isDataFile ? unit % 2 === 1 : unit % 4 === 0;
        return isPacked ? store("zlib", whole, packed(file, unit, whole)) : store("none", whole);
      };
      const stored = Array.from({ length: Math.ceil(bytes.length / unitBytes) }, storeUnit);
      this.#stored.set(file, stored);
    }
    const path = Deno.makeTempFileSync({ prefix: "pbkfs-test-" });
    Deno.writeFileSync(path, Buffer.concat(parts));
    this.#fd = systemLibc().open(byteStringOf(path), OPEN.readOnly);
    Deno.removeSync(path);
  }

  /** Where the bytes of a range lie. */
  plan(file: FakeFile, { offsetBytes, sizeBytes }: ByteRange): Piece[] {
    const end = offsetBytes + sizeBytes;
    const { path, isDataFile, bytes } = file;
    if (!isDataFile && bytes.length <= IN_MEMORY_BYTES_MAX) {
      return [{ in: "memory", bytes: bytes.slice(offsetBytes, end) }];
    }
    const fd = this.#fd;
    const of = { path: path as ByteString, backupId: "FAKE" };
    const pieces: Piece[] = [];
    const unitBytes = unitBytesOf(file);
    for (let at = offsetBytes; at < end;) {
      const unit = Math.floor(at / unitBytes);
      const from = unit * unitBytes;
      const to = Math.min(end, from + unitBytes);
      const wanted = { offsetBytes: at - from, sizeBytes: to - at };
      const stored = this.#stored.get(file)?.[unit];
      if (stored === undefined) pieces.push({ in: "zeros", sizeBytes: wanted.sizeBytes });
      else if (stored.codec === "none") {
        const range = { ...wanted, offsetBytes: stored.range.offsetBytes + wanted.offsetBytes };
        pieces.push({ in: "file", fd, range, of });
      } else pieces.push({ in: "record", fd, ...stored, wanted, of: { ...of, block: unit } });
      at = to;
    }
    return pieces;
  }

  close(): void {
    systemLibc().close(this.#fd);
  }
}

function unitBytesOf({ isDataFile }: FakeFile): number {
  return isDataFile ? PAGE_SIZE_BYTES : LONG_UNIT_BYTES;
}

const known = new WeakMap<Uint8Array, Map<string, Uint8Array>>();

/** A unit, compressed. Many stores are made of the same files, so it is done once. */
function packed({ bytes, isDataFile }: FakeFile, unit: number, decoded: Uint8Array): Uint8Array {
  let units = known.get(bytes);
  if (units === undefined) known.set(bytes, units = new Map());
  const key = `${isDataFile} ${unit}`;
  let found = units.get(key);
  if (found === undefined) units.set(key, found = deflateSync(decoded, { level: 1 }));
  return found;
}
