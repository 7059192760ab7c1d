/**
 * Files of the base, as the overlay sees them.
 *
 * @module
 */

import type { BaseTree, EntryIndex, Piece } from "../../backup/mod.ts";
import type { ByteRange } from "../../ffi/libc.ts";
import type { BaseFile, Extent } from "./file_content.ts";

/** Makes a {@link BaseFile} of an entry; nothing is read yet. */
export function baseFiles(base: BaseTree): (entry: EntryIndex) => BaseFile {
  return (entry) => new EntryFile(base, entry);
}

class EntryFile implements BaseFile {
  readonly #base: BaseTree;
  readonly #entry: EntryIndex;

  constructor(base: BaseTree, entry: EntryIndex) {
    this.#base = base;
    this.#entry = entry;
  }

  get isDataFile(): boolean {
    return this.#base.entry(this.#entry).isDataFile;
  }

  get sizeBytes(): number {
    return this.#base.sizeBytes(this.#entry);
  }

  plan(range: ByteRange, plan: "new" | "more"): Piece[] {
    return this.#base.planRead(this.#entry, range, plan);
  }

  extent(offsetBytes: number): Extent {
    return this.#base.extent(this.#entry, offsetBytes);
  }
}
