/**
 * A metadata store that answers late, and fails when it is told to: what one on another machine does.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import type {
  DataId,
  MetadataBatch,
  MetadataState,
  MetadataStore,
  PackedState,
  PromptStore,
} from "../../overlay/store/metadata_store.ts";

/** Asks another store for everything, later, and one after the other. */
export class LateStore implements MetadataStore {
  readonly #store: PromptStore;
  readonly #delay: () => Promise<void>;
  #last: Promise<unknown> = Promise.resolve();
  /** With which errno the next commits fail; 0 for one that does not. */
  readonly failures: number[] = [];

  constructor(store: PromptStore, delay: () => Promise<void>) {
    this.#store = store;
    this.#delay = delay;
  }

  load(): Promise<MetadataState> {
    return this.#later(() => this.#store.load());
  }

  loadPacked(): Promise<PackedState> {
    return this.#later(() => this.#store.loadPacked());
  }

  commit(batches: readonly MetadataBatch[]): Promise<void> {
    return this.#later(() => {
      const errno = this.failures.shift() ?? 0;
      if (errno !== 0) throw new PbkfsError("Io", { what: "The store fails, on purpose", errno });
      this.#store.commit(batches);
    });
  }

  dataDeleted(id: DataId): void {
    this.#store.dataDeleted(id);
  }

  close(): Promise<void> {
    return this.#later(() => this.#store.close());
  }

  /** The answer is late as well as what is done. */
  #later<T>(body: () => T): Promise<T> {
    const done = this.#last.then(this.#delay).then(body).finally(this.#delay);
    this.#last = done.catch(() => {}); // Whoever has asked is told.
    return done;
  }
}
