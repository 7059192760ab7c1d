/**
 * A metadata store that forgets with its process, for tests.
 *
 * @module
 */

import type { Ino } from "../../fuse/mod.ts";
import type {
  ContentRecord,
  DataId,
  ExtendedAttributeRecord,
  InodeRecord,
  MetadataBatch,
  MetadataState,
  NameRecord,
  NextNumbers,
  PageMapRecord,
  PromptStore,
} from "./metadata_store.ts";
import { pack, type PackedState } from "./stored_state.ts";

/** A {@link PromptStore} in memory. Two of the same `MemoryStore.Contents` see each other. */
export class MemoryStore implements PromptStore {
  readonly #inodes = new Map<number, InodeRecord>();
  readonly #names = new Map<string, NameRecord>();
  readonly #contents = new Map<number, ContentRecord>();
  readonly #pages = new Map<string, PageMapRecord>();
  readonly #attributes = new Map<string, ExtendedAttributeRecord>();
  readonly #deleted = new Set<DataId>();
  #nextNumbers: NextNumbers | undefined;
  #isClean = false;
  #generation = 0;

  load(): MetadataState {
    return structuredClone({
      inodes: [...this.#inodes.values()],
      names: [...this.#names.values()],
      contents: [...this.#contents.values()],
      pages: [...this.#pages.values()],
      extendedAttributes: [...this.#attributes.values()],
      nextNumbers: this.#nextNumbers,
      deleted: [...this.#deleted],
      isClean: this.#isClean,
      keepsLengths: true,
      generation: this.#generation,
    });
  }

  loadPacked(): PackedState {
    return pack(this.load());
  }

  commit(batches: readonly MetadataBatch[]): void {
    for (const batch of structuredClone(batches)) this.#apply(batch);
    this.#generation++;
    this.#isClean = batches.at(-1)?.isLast === true;
  }

  dataDeleted(id: DataId): void {
    this.#deleted.delete(id);
  }

  close(): void {}

  #apply(batch: MetadataBatch): void {
    for (const inode of batch.inodes) this.#inodes.set(inode.ino, inode);
    for (const name of batch.names) {
      const key = `${name.parent}/${name.name}`;
      if (name.to === "none") this.#names.delete(key);
      else this.#names.set(key, name);
    }
    for (const content of batch.contents) this.#contents.set(content.ino, content);
    for (const pages of batch.pages) {
      const key = `${pages.ino}/${pages.part}`;
      if (pages.bits.every((byte) => byte === 0)) this.#pages.delete(key);
      else this.#pages.set(key, pages);
    }
    for (const attribute of batch.extendedAttributes) {
      const key = `${attribute.ino}/${attribute.name}`;
      if (attribute.value === undefined) this.#attributes.delete(key);
      else this.#attributes.set(key, attribute);
    }
    for (const ino of batch.removed) this.#remove(ino);
    this.#nextNumbers = batch.nextNumbers;
  }

  #remove(ino: Ino): void {
    const content = this.#contents.get(ino);
    if (content !== undefined) this.#deleted.add(content.dataId);
    this.#inodes.delete(ino);
    this.#contents.delete(ino);
    for (const map of [this.#pages, this.#attributes]) {
      for (const [key, record] of map) if (record.ino === ino) map.delete(key);
    }
  }
}
