/**
 * Files of the base, as the overlay reads them.
 *
 * @module
 */

import { type BaseTree, type EntryIndex, PieceReader } from "../backup/mod.ts";
import type { ByteRange } from "../ffi/libc.ts";
import type { NativeBuffer } from "../ffi/memory.ts";
import { PbkfsError } from "../errors.ts";
import type { BaseFile } from "./file_content.ts";

/** Makes a {@link BaseFile} of an entry; nothing is read yet. */
export function baseFiles(base: BaseTree, reader: PieceReader): (entry: EntryIndex) => BaseFile {
  return (entry) => new EntryFile(base, reader, entry);
}

class EntryFile implements BaseFile {
  readonly #base: BaseTree;
  readonly #reader: PieceReader;
  readonly #entry: EntryIndex;

  constructor(base: BaseTree, reader: PieceReader, entry: EntryIndex) {
    this.#base = base;
    this.#reader = reader;
    this.#entry = entry;
  }

  get isDataFile(): boolean {
    return this.#base.entries[this.#entry]?.isDataFile ?? false;
  }

  get sizeBytes(): number {
    return this.#base.sizeBytes(this.#entry);
  }

  read(range: ByteRange, target: NativeBuffer, at: number): void {
    const pieces = this.#base.planRead(this.#entry, range);
    const done = this.#reader.read(pieces, target, at);
    if (done === range.sizeBytes) return;
    throw new PbkfsError("Bug", {
      what: `A read of ${range.sizeBytes} bytes at ${range.offsetBytes} gave ${done}`,
    });
  }
}
