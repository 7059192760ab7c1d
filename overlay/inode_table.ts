/**
 * All nodes of the tree: those of the base, with the diff's changes applied.
 *
 * @module
 */

import type { BaseTree, EntryIndex } from "../backup/mod.ts";
import { ERRNO, PbkfsError } from "../errors.ts";
import type { ByteString } from "../ffi/bytes.ts";
import { type Ino, ROOT_INO, type Timestamp } from "../fuse/mod.ts";
import { Directory } from "./directory.ts";
import { type BaseFile, type ContentContext, FileContent } from "./file_content.ts";
import { TYPE } from "../ffi/file_type.ts";
import { Inode, type NodeBody } from "./inode.ts";
import type { DataId, InodeRecord, MetadataState } from "./metadata_store.ts";

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
  readonly state: MetadataState;
}

/** The base's nodes have the numbers that follow the root's, in the order of its entries. */
const FIRST_BASE_INO = ROOT_INO + 1;

/**
 * Nodes by number. A node of the base is made when somebody asks for it, since most of a large
 * base is never asked for.
 */
export class InodeTable {
  readonly #options: InodeTableOptions;
  /** Nodes made so far. */
  readonly #inodes = new Map<Ino, Inode>();
  /** Nodes of the base that have been deleted. */
  readonly #deleted = new Set<Ino>();
  nextIno: number;

  constructor(options: InodeTableOptions) {
    this.#options = options;
    this.nextIno = options.state.counters?.nextIno ?? options.base.count + FIRST_BASE_INO;
    this.#loadDiff(options.state);
  }

  /** @throws {PbkfsError} ESTALE if there is no such node. */
  get(ino: Ino): Inode {
    const inode = this.find(ino);
    if (inode === undefined) throw refusal("ESTALE", `There is no inode ${ino}`);
    return inode;
  }

  find(ino: Ino): Inode | undefined {
    return this.#inodes.get(ino) ?? this.#fromBase(ino);
  }

  /** The mode of a node, without making it. */
  mode(ino: Ino): number | undefined {
    const known = this.#inodes.get(ino)?.mode;
    if (known !== undefined) return known;
    const entry = this.#entryOf(ino);
    return entry === undefined ? this.find(ino)?.mode : this.#options.base.mode(entry);
  }

  /** Adds a new node. */
  add(body: NodeBody, from: Omit<InodeRecord, "ino" | "target">): Inode {
    const inode = new Inode(this.nextIno++ as Ino, body, from);
    this.#inodes.set(inode.ino, inode);
    return inode;
  }

  delete(ino: Ino): void {
    this.#inodes.delete(ino);
    if (this.#entryOf(ino) !== undefined) this.#deleted.add(ino);
  }

  /** All nodes that are not as the base has them, and some that are. */
  made(): IterableIterator<Inode> {
    return this.#inodes.values();
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

  #fromBase(ino: Ino): Inode | undefined {
    const entry = this.#entryOf(ino);
    if ((entry === undefined && ino !== ROOT_INO) || this.#deleted.has(ino)) return undefined;
    const { base, owner } = this.#options;
    const body = entry === undefined ? this.#directory(undefined) : this.#bodyOfEntry(entry);
    const inode = new Inode(ino, body, {
      mode: entry === undefined ? TYPE.directory | owner.rootMode : base.mode(entry),
      uid: owner.uid,
      gid: owner.gid,
      links: body.kind === "directory" ? 2 + this.#subdirectories(entry) : 1,
      rdev: 0,
      accessed: owner.time,
      modified: owner.time,
      changed: owner.time,
      born: owner.time,
    });
    this.#inodes.set(ino, inode);
    return inode;
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

  #loadDiff(state: MetadataState): void {
    for (const record of state.inodes) {
      const known = this.find(record.ino);
      if (known !== undefined) known.restore(record);
      else this.#inodes.set(record.ino, new Inode(record.ino, this.#bodyOf(record), record));
    }
    for (const record of state.contents) this.#content(record.ino).restore(record);
    for (const record of state.pages) this.#content(record.ino).setPages(record);
    for (const { ino, name, value } of state.extendedAttributes) {
      const inode = this.#expect(ino);
      inode.extendedAttributes ??= new Map();
      if (value !== undefined) inode.extendedAttributes.set(name, value);
    }
    for (const { parent, name, to } of state.names) {
      const body = this.find(parent)?.body;
      // Whiteouts of a directory that has itself been removed since.
      if (body?.kind !== "directory") continue;
      body.directory.delete(name);
      if (typeof to !== "number") continue;
      const child = this.#expect(to);
      body.directory.set(name, to);
      if (child.body.kind === "directory") child.body.directory.parent = parent;
    }
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

  #content(ino: Ino): FileContent {
    const { body } = this.#expect(ino);
    if (body.kind !== "file") throw damaged(`inode ${ino} has bytes but is not a file`);
    return body.content;
  }

  #expect(ino: Ino): Inode {
    const inode = this.find(ino);
    if (inode === undefined) throw damaged(`inode ${ino} is mentioned but not recorded`);
    return inode;
  }
}

/** The number of an entry's node; undefined stands for the root. */
function inoOf(entry: EntryIndex | undefined): Ino {
  return (entry === undefined ? ROOT_INO : entry + FIRST_BASE_INO) as Ino;
}

/** Data files that a diff's metadata points at. */
export function dataIdsOf(state: MetadataState): Set<DataId> {
  return new Set(state.contents.map(({ dataId }) => dataId));
}

/** An ordinary refusal of a request. */
export function refusal(errno: keyof typeof ERRNO, what: string): PbkfsError {
  return new PbkfsError("Io", { what, errno: ERRNO[errno] });
}

function damaged(what: string): PbkfsError {
  return new PbkfsError("DiffDamaged", {
    what: `The diff's metadata contradicts itself: ${what}`,
    todo: "Restore the diff from a copy, or start with an empty diff directory.",
  });
}
