/**
 * All nodes of the tree: those of the base, with the diff's changes applied.
 *
 * @module
 */

import type { BaseTree, EntryIndex } from "../../backup/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { type Ino, ROOT_INO, type Timestamp } from "../../fuse/mod.ts";
import { type BaseFile, type ContentContext, FileContent } from "../content/file_content.ts";
import type { ContentRecord, DataId, InodeRecord } from "../store/metadata_store.ts";
import { checkState } from "../store/state_check.ts";
import type { StoredState } from "../store/stored_state.ts";
import { Directory } from "./directory.ts";
import { Inode, type NodeBody } from "./inode.ts";

/** Who owns the tree, and since when it exists. */
export interface TreeOwner {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits of the root directory. */
  readonly rootMode: number;
  /** All times of the base. */
  readonly time: Timestamp;
}

/** What a table is made from. */
export interface InodeTableOptions {
  readonly base: BaseTree;
  readonly baseFile: (entry: EntryIndex) => BaseFile;
  readonly content: ContentContext;
  readonly owner: TreeOwner;
  readonly state: StoredState;
}

/** The base's nodes have the numbers that follow the root's, in the order of its entries. */
export const FIRST_BASE_INO = ROOT_INO + 1;

/**
 * Nodes by number. A node is made when somebody asks for it, since most of a large base, or of a
 * large diff, are never asked for.
 */
export class InodeTable {
  readonly #options: InodeTableOptions;
  /** Nodes made so far. */
  readonly #inodes = new Map<Ino, Inode>();
  /** Nodes of the base, or of the store, that have been deleted. */
  readonly #deleted = new Set<Ino>();
  /** Directories that the store has under a name. */
  readonly #parents: ReadonlyMap<Ino, Ino>;
  nextIno: number;

  /** @throws {PbkfsError} `DiffDamaged` if the store contradicts itself, or the base. */
  constructor(options: InodeTableOptions) {
    const { base, state } = options;
    this.#options = options;
    const firstNewIno = base.count + FIRST_BASE_INO;
    this.nextIno = state.nextNumbers?.nextIno ?? firstNewIno;
    this.#parents = checkState(state, {
      firstNewIno,
      mode: (ino) => this.#baseMode(ino),
      parent: (ino) => {
        const entry = this.#entryOf(ino);
        return entry === undefined ? undefined : inoOf(base.parent(entry));
      },
    });
  }

  /** @throws {PbkfsError} ESTALE if there is no such node. */
  get(ino: Ino): Inode {
    const inode = this.find(ino);
    if (inode === undefined) throw refusal("ESTALE", `There is no inode ${ino}`);
    return inode;
  }

  find(ino: Ino): Inode | undefined {
    return this.#inodes.get(ino) ?? this.#make(ino);
  }

  /** The mode of a node, without making it. */
  mode(ino: Ino): number | undefined {
    return this.#inodes.get(ino)?.mode ?? this.#options.state.mode(ino) ?? this.#baseMode(ino);
  }

  /** Adds a new node. */
  add(body: NodeBody, from: Omit<InodeRecord, "ino" | "target">): Inode {
    const inode = new Inode(this.nextIno++ as Ino, body, from);
    this.#inodes.set(inode.ino, inode);
    return inode;
  }

  delete(ino: Ino): void {
    this.#inodes.delete(ino);
    if (this.#isGiven(ino)) this.#deleted.add(ino);
  }

  /** The nodes that somebody has asked for, or made. */
  made(): IterableIterator<Inode> {
    return this.#inodes.values();
  }

  /** Files that had bytes in the diff when it was mounted, and that have not been deleted. */
  *inherited(): Generator<{ readonly ino: Ino; readonly dataId: DataId; readonly made?: Inode }> {
    for (const { ino, dataId } of this.#options.state.contents) {
      if (this.#deleted.has(ino)) continue;
      const made = this.#inodes.get(ino);
      yield { ino, dataId, ...(made !== undefined && { made }) };
    }
  }

  /**
   * Whole files that nobody has asked for, of whose length the store does not know: as it is now,
   * which is as the mount has found it.
   */
  *untold(): Generator<ContentRecord> {
    for (const { foundBytes, ...record } of this.#options.state.contents) {
      const { ino, form, lengthBytes } = record;
      if (form !== "whole" || foundBytes === undefined || foundBytes === lengthBytes) continue;
      if (this.#inodes.has(ino) || this.#deleted.has(ino)) continue;
      yield { ...record, lengthBytes: foundBytes };
    }
  }

  /** Whether the base has this name in this directory, be it hidden or not. */
  isInBase(parent: Ino, name: ByteString): boolean {
    const directory = this.#entryOf(parent);
    if (directory === undefined && parent !== ROOT_INO) return false;
    return this.#options.base.names(directory).find(name) !== undefined;
  }

  /** The entry that a node is, or was, in the base. */
  #entryOf(ino: Ino): EntryIndex | undefined {
    const index = ino - FIRST_BASE_INO;
    return index >= 0 && index < this.#options.base.count ? index as EntryIndex : undefined;
  }

  /** Whether the base has such a node, or the store has. */
  #isGiven(ino: Ino): boolean {
    return ino === ROOT_INO || this.#entryOf(ino) !== undefined || this.#options.state.has(ino);
  }

  #baseMode(ino: Ino): number | undefined {
    const { base, owner } = this.#options;
    if (ino === ROOT_INO) return TYPE.directory | owner.rootMode;
    const entry = this.#entryOf(ino);
    return entry === undefined ? undefined : base.mode(entry);
  }

  /** A node as base and store have it. */
  #make(ino: Ino): Inode | undefined {
    if (this.#deleted.has(ino)) return undefined;
    const { state } = this.#options;
    const record = state.inode(ino);
    const inode = this.#fromBase(ino) ?? (record && new Inode(ino, this.#bodyOf(record), record));
    if (inode === undefined) return undefined;
    if (record !== undefined) inode.restore(record);
    for (const { name, value } of state.attributesOf(ino)) {
      inode.extendedAttributes ??= new Map();
      if (value !== undefined) inode.extendedAttributes.set(name, value);
    }
    const { body } = inode;
    if (body.kind === "directory") this.#restoreNames(ino, body.directory);
    else if (body.kind === "file") this.#restoreContent(ino, body.content);
    this.#inodes.set(ino, inode);
    return inode;
  }

  #fromBase(ino: Ino): Inode | undefined {
    const entry = this.#entryOf(ino);
    const mode = this.#baseMode(ino);
    if (mode === undefined) return undefined;
    const { owner } = this.#options;
    const body = entry === undefined ? this.#directory(undefined) : this.#bodyOfEntry(entry);
    return new Inode(ino, body, {
      mode,
      uid: owner.uid,
      gid: owner.gid,
      links: body.kind === "directory" ? 2 + this.#subdirectories(entry) : 1,
      rdev: 0,
      accessed: owner.time,
      modified: owner.time,
      changed: owner.time,
      born: owner.time,
    });
  }

  #restoreNames(ino: Ino, directory: Directory): void {
    directory.parent = this.#parents.get(ino) ?? directory.parent;
    for (const { name, to } of this.#options.state.namesIn(ino)) {
      directory.delete(name);
      if (typeof to === "number") directory.set(name, to);
    }
  }

  #restoreContent(ino: Ino, content: FileContent): void {
    const { state } = this.#options;
    const record = state.content(ino);
    if (record === undefined) return;
    content.restore(record);
    for (const pages of state.pagesOf(ino)) content.setPages(pages);
  }

  #bodyOfEntry(entry: EntryIndex): NodeBody {
    const { base, baseFile, content } = this.#options;
    switch (base.mode(entry) & TYPE.mask) {
      case TYPE.directory:
        return this.#directory(entry);
      case TYPE.symlink:
        return { kind: "symlink", target: base.entry(entry).target as ByteString };
      default:
        return { kind: "file", content: new FileContent(content, baseFile(entry)) };
    }
  }

  #directory(entry: EntryIndex | undefined): NodeBody {
    const { base } = this.#options;
    const names = base.names(entry);
    const parent = entry === undefined ? undefined : base.parent(entry);
    const directory = new Directory(inoOf(parent), {
      count: names.count,
      unlisted: base.unlisted === undefined ? undefined : inoOf(base.unlisted),
      name: (at) => names.name(at),
      ino: (at) => inoOf(names.entry(at)),
      find: (name) => names.find(name),
    });
    return { kind: "directory", directory };
  }

  #subdirectories(directory: EntryIndex | undefined): number {
    const { base } = this.#options;
    const names = base.names(directory);
    let count = 0;
    for (let at = 0; at < names.count; at++) {
      if ((base.mode(names.entry(at)) & TYPE.mask) === TYPE.directory) count++;
    }
    return count;
  }

  #bodyOf(record: InodeRecord): NodeBody {
    switch (record.mode & TYPE.mask) {
      case TYPE.directory:
        return { kind: "directory", directory: new Directory(ROOT_INO) };
      case TYPE.symlink:
        return { kind: "symlink", target: record.target ?? ("" as ByteString) };
      case TYPE.file:
        return { kind: "file", content: new FileContent(this.#options.content, undefined) };
      default:
        return { kind: "special" };
    }
  }
}

/** The number of an entry's node; undefined stands for the root. */
function inoOf(entry: EntryIndex | undefined): Ino {
  return (entry === undefined ? ROOT_INO : entry + FIRST_BASE_INO) as Ino;
}

/** An ordinary refusal of a request. */
export function refusal(errno: keyof typeof ERRNO, what: string): PbkfsError {
  return new PbkfsError("Io", { what, errno: ERRNO[errno] });
}
