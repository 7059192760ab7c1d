/**
 * A file as the base has it.
 *
 * @module
 */

import type { Piece } from "../../backup/mod.ts";
import type { ByteRange } from "../../ffi/libc.ts";
import { type BaseFile, type ContentForm, type Extent, SECTOR_SIZE_BYTES } from "./content_form.ts";

/** The diff has nothing of it. */
export class BaseForm implements ContentForm {
  readonly kind = "base";
  readonly #base: BaseFile;
  /** -1: the base has not been asked yet. */
  #sizeBytes = -1;

  constructor(base: BaseFile) {
    this.#base = base;
  }

  get sizeBytes(): number {
    if (this.#sizeBytes < 0) this.#sizeBytes = this.#base.sizeBytes;
    return this.#sizeBytes;
  }

  /**
   * As it would be after a restore. Holes count as well: to know them means to read the page index
   * of each file that somebody lists, and who is told too much looks for holes, while who is told
   * too little may take bytes for a hole.
   */
  get blocks512(): number {
    return Math.ceil(this.sizeBytes / SECTOR_SIZE_BYTES);
  }

  plan(range: ByteRange): Piece[] {
    return this.#base.plan(range, "new");
  }

  extent(at: number): Extent {
    return this.#base.extent(at);
  }
}
