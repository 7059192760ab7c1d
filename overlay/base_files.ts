/**
 * Files of the base, as the overlay reads them.
 *
 * @module
 */

import type { BaseTree, EntryIndex, Piece, PieceReader } from "../backup/mod.ts";
import type { ByteRange } from "../ffi/libc.ts";
import type { NativeBuffer } from "../ffi/memory.ts";
import { PbkfsError } from "../errors.ts";
import type { BaseFile, Extent } from "./file_content.ts";

/** What files of the base are read with. */
export interface BaseFilesOptions {
  readonly base: BaseTree;
  readonly reader: PieceReader;
  /** Called after each read. */
  readonly onRead: () => void;
}

/** Makes a {@link BaseFile} of an entry; nothing is read yet. */
export function baseFiles(options: BaseFilesOptions): (entry: EntryIndex) => BaseFile {
  return (entry) => new EntryFile(options, entry);
}

class EntryFile implements BaseFile {
  readonly #options: BaseFilesOptions;
  readonly #entry: EntryIndex;

  constructor(options: BaseFilesOptions, entry: EntryIndex) {
    this.#options = options;
    this.#entry = entry;
  }

  get isDataFile(): boolean {
    return this.#options.base.entry(this.#entry).isDataFile;
  }

  get sizeBytes(): number {
    return this.#options.base.sizeBytes(this.#entry);
  }

  plan(range: ByteRange, plan: "new" | "more"): Piece[] {
    return this.#options.base.planRead(this.#entry, range, plan);
  }

  extent(offsetBytes: number): Extent {
    return this.#options.base.extent(this.#entry, offsetBytes);
  }

  read(range: ByteRange, target: NativeBuffer, at: number): void {
    const { base, reader, onRead } = this.#options;
    const done = reader.read(base.planRead(this.#entry, range), target, at);
    onRead();
    if (done === range.sizeBytes) return;
    throw new PbkfsError("Bug", {
      what: `A read of ${range.sizeBytes} bytes at ${range.offsetBytes} gave ${done}`,
    });
  }
}
