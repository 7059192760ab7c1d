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
import { Inode, type NodeBody, TYPE } from "./inode.ts";
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

/** Nodes by number. The base's come first, in the order of its entries. */
export class InodeTable {
  readonly #options: InodeTableOptions;
  readonly #inodes = new Map<Ino, Inode>();
  nextIno: number;

  constructor(options: InodeTableOptions) {
    this.#options = options;
    this.nextIno = options.state.counters?.nextIno ?? options.base.entries.length + 2;
    this.#loadBase();
    this.#loadDiff(options.state);
  }

  /** @throws {PbkfsError} ESTALE if there is no such node. */
  get(ino: Ino): Inode {
    const inode = this.#inodes.get(ino);
    if (inode === undefined) throw refusal("ESTALE", `There is no inode ${ino}`);
    return inode;
  }

  find(ino: Ino): Inode | undefined {
    return this.#inodes.get(ino);
  }

  /** Adds a new node. */
  add(body: NodeBody, from: Omit<InodeRecord, "ino" | "target">): Inode {
    const inode = new Inode(this.nextIno++ as Ino, body, from);
    this.#inodes.set(inode.ino, inode);
    return inode;
  }

  delete(ino: Ino): void {
    this.#inodes.delete(ino);
  }

  all(): IterableIterator<Inode> {
    return this.#inodes.values();
  }

  /** Whether the base has this name in this directory, be it hidden or not. */
  isInBase(parent: Ino, name: ByteString): boolean {
    const { entries } = this.#options.base;
    const directory = parent === ROOT_INO ? undefined : entries[parent - 2];
    if (parent !== ROOT_INO && directory === undefined) return false;
    const path = directory === undefined ? name : `${directory.path}/${name}`;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = (entries[middle] as { path: string }).path;
      if (at === path) return true;
      if (at < path) low = middle + 1;
      else high = middle;
    }
    return false;
  }

  #loadBase(): void {
    const { base, owner } = this.#options;
    const byPath = new Map<string, Directory>();
    const make = (ino: Ino, body: NodeBody, mode: number): Inode => {
      const inode = new Inode(ino, body, {
        mode,
        uid: owner.uid,
        gid: owner.gid,
        links: body.kind === "directory" ? 2 : 1,
        rdev: 0,
        accessed: owner.time,
        modified: owner.time,
        changed: owner.time,
      });
      this.#inodes.set(ino, inode);
      return inode;
    };
    const root = new Directory(ROOT_INO);
    make(ROOT_INO, { kind: "directory", directory: root }, TYPE.directory | owner.rootMode);
    byPath.set("", root);
    const inoOf = new Map<Directory, Ino>([[root, ROOT_INO]]);
    base.entries.forEach((entry, index) => {
      const slash = entry.path.lastIndexOf("/");
      const parent = byPath.get(entry.path.slice(0, Math.max(0, slash)));
      if (parent === undefined) {
        throw new PbkfsError("Bug", { what: `"${entry.path}" comes before its directory` });
      }
      const parentIno = inoOf.get(parent) as Ino;
      const ino = (index + 2) as Ino;
      parent.set(entry.path.slice(slash + 1) as ByteString, ino);
      if (entry.kind === "directory") {
        const directory = new Directory(parentIno);
        byPath.set(entry.path, directory);
        inoOf.set(directory, ino);
        make(ino, { kind: "directory", directory }, TYPE.directory | entry.mode);
        this.get(parentIno).links++;
      } else if (entry.kind === "symlink") {
        const target = entry.target as ByteString;
        make(ino, { kind: "symlink", target }, TYPE.symlink | entry.mode);
      } else {
        const baseFile = this.#options.baseFile(index as EntryIndex);
        const content = new FileContent(this.#options.content, baseFile);
        make(ino, { kind: "file", content }, TYPE.file | entry.mode);
      }
    });
  }

  #loadDiff(state: MetadataState): void {
    for (const record of state.inodes) {
      const known = this.#inodes.get(record.ino);
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
      const body = this.#inodes.get(parent)?.body;
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
    const inode = this.#inodes.get(ino);
    if (inode === undefined) throw damaged(`inode ${ino} is mentioned but not recorded`);
    return inode;
  }
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
