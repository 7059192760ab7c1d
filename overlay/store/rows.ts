/**
 * Tables of numbers, and bytes, that grow while they are filled.
 *
 * @module
 */

/** Rows of `width` numbers each, one after another. */
export interface Rows {
  readonly cells: Float64Array<ArrayBuffer>;
  readonly width: number;
  readonly count: number;
}

/** Takes rows. */
export class GrowingRows {
  readonly #width: number;
  #cells: Float64Array<ArrayBuffer>;
  #count = 0;

  /** @param expected How many there will be; more are taken as well. */
  constructor(width: number, expected = 64) {
    this.#width = width;
    this.#cells = new Float64Array(Math.max(1, expected) * width);
  }

  add(row: readonly number[]): void {
    const at = this.#count++ * this.#width;
    if (at === this.#cells.length) {
      const grown = new Float64Array(this.#cells.length * 2);
      grown.set(this.#cells);
      this.#cells = grown;
    }
    this.#cells.set(row, at);
  }

  rows(): Rows {
    const size = this.#count * this.#width;
    const cells = size === this.#cells.length ? this.#cells : this.#cells.slice(0, size);
    return { cells, width: this.#width, count: this.#count };
  }
}

/** Takes bytes. */
export class GrowingBytes {
  #bytes = new Uint8Array(4096);
  #size = 0;

  /** @returns Where they end. */
  add(bytes: Uint8Array): number {
    const end = this.#size + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = end;
    return end;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#size);
  }
}
