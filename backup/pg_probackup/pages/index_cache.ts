/**
 * Page indexes in memory, up to a budget.
 *
 * @module
 */

import type { PageIndex } from "./page_index.ts";
import type { Row } from "../../tree/path_list.ts";

/** What an entry costs besides its arrays, roughly. */
const OVERHEAD_BYTES = 256;

/** Keeps the indexes used most recently. */
export class IndexCache {
  /** In order of use: a Map gives its keys in the order of insertion. */
  readonly #indexes = new Map<Row, PageIndex>();
  #memoryBytes = 0;
  /** The one used last, which is most often used next. */
  #last: PageIndex | undefined;
  #lastRow: Row | undefined;

  /** @param budgetBytes A single index larger than this is kept until the next one comes. */
  constructor(private readonly budgetBytes: number) {}

  /** What all of it costs. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** The index of a file, made by `make` if it is not here. */
  get(row: Row, make: () => PageIndex): PageIndex {
    if (this.#last !== undefined && row === this.#lastRow) return this.#last;
    const known = this.#indexes.get(row);
    if (known !== undefined) {
      this.#indexes.delete(row);
      this.#indexes.set(row, known);
      return this.#remember(row, known);
    }
    const made = this.#remember(row, make());
    this.#indexes.set(row, made);
    this.#memoryBytes += costOf(made);
    for (const [old, index] of this.#indexes) {
      if (this.#memoryBytes <= this.budgetBytes || old === row) break;
      this.#indexes.delete(old);
      this.#memoryBytes -= costOf(index);
    }
    return made;
  }

  #remember(row: Row, index: PageIndex): PageIndex {
    this.#lastRow = row;
    this.#last = index;
    return index;
  }

  clear(): void {
    this.#last = undefined;
    this.#indexes.clear();
    this.#memoryBytes = 0;
  }
}

function costOf(index: PageIndex): number {
  return index.memoryBytes + OVERHEAD_BYTES;
}
