/**
 * Changes of names, attributes and existence that the store has not been told of.
 *
 * They are always taken together, so that what the store knows was true at one moment.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";
import type { Ino } from "../../fuse/mod.ts";
import type { DataId, MetadataBatch, NameRecord, NextNumbers } from "../store/metadata_store.ts";
import { contentOf, type Inode } from "./inode.ts";
import type { InodeTable } from "./inode_table.ts";

interface NameKey {
  readonly ino: Ino;
  readonly name: ByteString;
}

/** What was taken, to be put back if it could not be committed. */
export interface NamesTicket {
  readonly inodes: ReadonlySet<Ino>;
  readonly names: ReadonlyMap<string, NameKey>;
  readonly attributes: ReadonlyMap<string, NameKey>;
  readonly removed: ReadonlySet<Ino>;
  readonly created: readonly Inode[];
  readonly deletions: readonly DataId[];
}

/** Collects changes, and turns them into a batch. */
export class PendingNames {
  readonly #table: InodeTable;
  #inodes = new Set<Ino>();
  #names = new Map<string, NameKey>();
  #attributes = new Map<string, NameKey>();
  #removed = new Set<Ino>();
  /** Files made since; that they have a data file is part of their being there. */
  #created = new Set<Inode>();
  #deletions: DataId[] = [];

  constructor(table: InodeTable) {
    this.#table = table;
  }

  inodeChanged(ino: Ino): void {
    this.#inodes.add(ino);
  }

  nameChanged(parent: Ino, name: ByteString): void {
    this.#names.set(`${parent}/${name}`, { ino: parent, name });
  }

  attributeChanged(ino: Ino, name: ByteString): void {
    this.#attributes.set(`${ino}/${name}`, { ino, name });
  }

  fileCreated(inode: Inode): void {
    this.#created.add(inode);
  }

  isCreated(inode: Inode): boolean {
    return this.#created.has(inode);
  }

  /** The last name of the node is gone. */
  removed(inode: Inode): void {
    this.#inodes.delete(inode.ino);
    this.#created.delete(inode);
    this.#removed.add(inode.ino);
  }

  /** How many names have changed. */
  get nameCount(): number {
    return this.#names.size;
  }

  /** Whether data files wait to be deleted. */
  get hasDeletions(): boolean {
    return this.#deletions.length > 0;
  }

  /** Nobody can reach the file's bytes any more: when that is committed, they can go. */
  dataDropped(id: DataId): void {
    this.#deletions.push(id);
  }

  /** Takes all. @returns `batch` is undefined if the store has nothing to be told. */
  take(nextNumbers: NextNumbers): { batch: MetadataBatch | undefined; ticket: NamesTicket } {
    const ticket = {
      inodes: this.#inodes,
      names: this.#names,
      attributes: this.#attributes,
      removed: this.#removed,
      created: [...this.#created],
      deletions: this.#deletions,
    };
    this.#inodes = new Set();
    this.#names = new Map();
    this.#attributes = new Map();
    this.#removed = new Set();
    this.#created = new Set();
    this.#deletions = [];
    const isEmpty = [ticket.inodes, ticket.names, ticket.attributes, ticket.removed]
      .every(({ size }) => size === 0) && ticket.created.length === 0;
    return { batch: isEmpty ? undefined : this.#batch(ticket, nextNumbers), ticket };
  }

  /** What could not be committed waits again. */
  putBack(ticket: NamesTicket): void {
    for (const ino of ticket.inodes) if (this.#table.find(ino)?.links) this.#inodes.add(ino);
    for (const [key, name] of ticket.names) this.#names.set(key, name);
    for (const [key, name] of ticket.attributes) this.#attributes.set(key, name);
    for (const ino of ticket.removed) this.#removed.add(ino);
    for (const inode of ticket.created) if (inode.links > 0) this.#created.add(inode);
    this.#deletions.push(...ticket.deletions);
  }

  #batch(ticket: NamesTicket, nextNumbers: NextNumbers): MetadataBatch {
    const table = this.#table;
    const inodes = [...ticket.inodes].map((ino) => table.find(ino)).filter((i) => i !== undefined);
    const contents = ticket.created.map((i) => contentOf(i).takeRecords(i.ino)?.content);
    return {
      inodes: inodes.map((inode) => inode.record()),
      names: [...ticket.names.values()].map((key) => this.#nameRecord(key)),
      contents: contents.filter((record) => record !== undefined),
      pages: [],
      extendedAttributes: [...ticket.attributes.values()].map(({ ino, name }) => ({
        ino,
        name,
        value: table.find(ino)?.extendedAttributes?.get(name),
      })),
      removed: [...ticket.removed],
      nextNumbers,
    };
  }

  #nameRecord({ ino, name }: NameKey): NameRecord {
    const body = this.#table.find(ino)?.body;
    const to = body?.kind === "directory" ? body.directory.get(name) : undefined;
    const gone = this.#table.isInBase(ino, name) ? "whiteout" : "none";
    return { parent: ino, name, to: to ?? gone };
  }
}
