/**
 * The file system: a read-only base below, everything that changed in a diff on top.
 *
 * @module
 */

import type { BaseTree } from "../backup/mod.ts";
import type { ByteString } from "../ffi/bytes.ts";
import { TYPE } from "../ffi/file_type.ts";
import { type ByteRange, FALLOCATE, type Libc } from "../ffi/libc.ts";
import type { Address, NativeBuffer } from "../ffi/memory.ts";
import {
  type AttributeChange,
  type Attributes,
  type AttributesAnswer,
  type Caller,
  type ExtendedAttribute,
  type FileSystem,
  type Found,
  type Ino,
  type Kernel,
  type ListedEntry,
  type NewNode,
  type Place,
  RENAME,
  type Request,
  type SyncReply,
  type Timestamp,
} from "../fuse/mod.ts";
import type { Committer } from "./commit/committer.ts";
import { Journal } from "./commit/journal.ts";
import { type ProcessTable, SyncFailures } from "./commit/sync_failures.ts";
import { baseFiles } from "./content/base_files.ts";
import { type ContentContext, FileContent, PAGE_SIZE_BYTES } from "./content/file_content.ts";
import { DataFiles } from "./data/data_files.ts";
import { Directory } from "./names/directory.ts";
import { contentOf, type Inode, type NodeBody, storable } from "./names/inode.ts";
import { InodeTable, refusal, type TreeOwner } from "./names/inode_table.ts";
import type { ReadEngine } from "./read/read_engine.ts";
import type { OverlayCounters } from "./shared/counters.ts";
import { Room, type RoomOptions } from "./space/room.ts";
import type { DataId, InodeRecord } from "./store/metadata_store.ts";
import type { StoredState } from "./store/stored_state.ts";

/** What an overlay is composed of. */
export interface OverlayOptions {
  readonly base: BaseTree;
  readonly reads: ReadEngine;
  /** What the diff's store holds. */
  readonly state: StoredState;
  /** No data file has this number, or a higher one; as the store says if missing. */
  readonly nextDataId?: number;
  readonly committer: Committer;
  readonly libc: Libc;
  /** The diff's directory of data files. */
  readonly dataDirectory: ByteString;
  /** Data files that stay open; 512 if left out. */
  readonly dataFilesMax?: number;
  readonly owner: TreeOwner;
  readonly counters: OverlayCounters;
  /** Milliseconds of a clock that only moves forward; that of the process if missing. */
  readonly clock?: () => number;
  /** Told, once, that changes wait for {@link Overlay.commit}; see {@link JournalOptions.onDue}. */
  readonly onCommitDue?: () => void;
  /** This moment, as files are stamped with it; {@link Libc.clock} if missing. */
  readonly now?: () => Timestamp;
  /** What is kept and watched so that a full disk refuses writes; nothing if missing. */
  readonly room?: RoomOptions | undefined;
  /** Who asks for syncs; for tests. */
  readonly processes?: ProcessTable;
}

const NAME_SIZE_BYTES_MAX = 255;
const LINKS_MAX = 65_000;
const ATTRIBUTE_SIZE_BYTES_MAX = 65_536;
const SET_USER_ID = 0o4000;
const SET_GROUP_ID = 0o2000;
const GROUP_EXECUTE = 0o010;

/** A {@link FileSystem} of base and diff. One thread uses it. */
export class Overlay implements FileSystem {
  readonly #libc: Libc;
  readonly #data: DataFiles;
  readonly #table: InodeTable;
  readonly #journal: Journal;
  readonly #failures: SyncFailures;
  readonly #counters: OverlayCounters;
  readonly #reads: ReadEngine;
  readonly #room: Room;
  readonly #content: ContentContext;
  readonly #now: () => Timestamp;
  #kernel: Kernel | undefined;
  /** Whether the store believes that nothing has changed since it was closed. */
  readonly #isClean: boolean;

  constructor(options: OverlayOptions) {
    const { libc, state, base, reads, owner } = options;
    let nextDataId = Math.max(state.nextNumbers?.nextDataId ?? 1, options.nextDataId ?? 1);
    this.#libc = libc;
    this.#isClean = state.facts.isClean;
    // The kernel stamps what is written with the same clock. If it finds the time that we gave a
    // new file, it does not tell us of it once more, which would be a request; and never an earlier
    // one.
    this.#now = options.now ?? (() => libc.clock());
    this.#counters = options.counters;
    this.#reads = reads;
    this.#data = new DataFiles({
      libc,
      directory: options.dataDirectory,
      spares: options.room?.spares,
      ...(options.dataFilesMax !== undefined && { openMax: options.dataFilesMax }),
    });
    const newDataId = () => nextDataId++ as DataId;
    const { keepsLengths } = state.facts;
    const content = this.#content = { libc, data: this.#data, reads, newDataId, keepsLengths };
    const table = new InodeTable({ base, baseFile: baseFiles(base), content, owner, state });
    this.#table = table;
    this.#failures = new SyncFailures(options.processes);
    this.#journal = new Journal({
      table,
      failures: this.#failures,
      data: this.#data,
      libc,
      committer: options.committer,
      nextNumbers: () => ({ nextIno: table.nextIno, nextDataId }),
      ...(options.clock !== undefined && { clock: options.clock }),
      onDue: options.onCommitDue,
    });
    this.#room = new Room({
      table,
      data: this.#data,
      journal: this.#journal,
      libc,
      clock: options.clock ?? (() => performance.now()),
      ...options.room,
    });
  }

  /** Before the first request, if something may be changed. @throws {PbkfsError} of the store. */
  begin(): void {
    if (this.#isClean) this.#journal.begin();
  }

  attach(kernel: Kernel): void {
    this.#kernel = kernel;
    this.#room.gate.attach(kernel);
  }

  lookup(place: Place): Attributes | undefined {
    checkName(place.name);
    const ino = this.#directory(place.parent).get(place.name);
    return ino === undefined ? undefined : this.#referenced(this.#table.get(ino));
  }

  remember(ino: Ino): void {
    this.#table.get(ino).lookups++;
  }

  forget(ino: Ino, count: number): void {
    const inode = this.#table.find(ino);
    if (inode === undefined) return;
    inode.lookups = Math.max(0, inode.lookups - count);
    if (inode.lookups > 0) return;
    this.#failures.dropped(ino);
    if (inode.links === 0) this.#drop(inode);
  }

  getAttributes(ino: Ino): Attributes {
    return this.#table.get(ino).attributes();
  }

  setAttributes(ino: Ino, change: AttributeChange): Attributes {
    const inode = this.#table.get(ino);
    if (change.sizeBytes !== undefined) this.#truncate(inode, change.sizeBytes);
    const time = this.#now();
    const timeOf = (t: AttributeChange["accessed"]) => t === "now" ? time : t && storable(t);
    if (change.mode !== undefined) inode.mode = (inode.mode & TYPE.mask) | (change.mode & 0o7777);
    if ((change.clearsPrivileges ?? change.uid ?? change.gid) !== undefined) {
      this.#clearPrivileges(inode);
    }
    inode.uid = change.uid ?? inode.uid;
    inode.gid = change.gid ?? inode.gid;
    inode.accessed = timeOf(change.accessed) ?? inode.accessed;
    inode.modified = timeOf(change.modified) ?? inode.modified;
    inode.changed = timeOf(change.changed) ?? time;
    const isMore = (change.mode ?? change.uid ?? change.gid) !== undefined;
    if (inode.links > 0) {
      if (isMore) this.#journal.inodeChanged(inode);
      else this.#journal.timesChanged(inode);
    }
    return inode.attributes();
  }

  readLink(ino: Ino): ByteString {
    const { body } = this.#table.get(ino);
    if (body.kind !== "symlink") throw refusal("EINVAL", `Inode ${ino} is not a symbolic link`);
    return body.target;
  }

  makeNode(place: Place, node: NewNode): Attributes {
    this.#room.mustBe(place);
    const type = (node.mode & TYPE.mask) || TYPE.file;
    switch (type) {
      case TYPE.file: {
        const directory = this.#freeName(place);
        const acceptedBytes = this.#room.isVital(place) ? PAGE_SIZE_BYTES : undefined;
        const content = this.#room.within(() => FileContent.create(this.#content), acceptedBytes);
        const inode = this.#add(place, directory, { kind: "file", content }, node);
        this.#journal.fileCreated(inode);
        return this.#referenced(inode);
      }
      // Device nodes can be kept here; the mount's flag nodev keeps them from being opened.
      case TYPE.character:
      case TYPE.block:
      case TYPE.fifo:
      case TYPE.socket:
        return this.#referenced(
          this.#add(place, this.#freeName(place), { kind: "special" }, node),
        );
      default:
        throw refusal("EPERM", `Nodes of type ${type.toString(8)} cannot be made here`);
    }
  }

  makeTemporary(parent: Ino, node: NewNode): Attributes {
    this.#room.mustBe();
    const directory = this.#table.get(parent);
    this.#directory(parent);
    if (directory.links === 0) throw refusal("ENOENT", "The directory has been removed");
    const content = this.#room.within(() => FileContent.create(this.#content));
    const body = { kind: "file" as const, content };
    const inode = this.#table.add(body, this.#statusOf(directory, node, 0));
    inode.isTemporary = true;
    return this.#referenced(inode);
  }

  makeDirectory(place: Place, node: NewNode): Attributes {
    this.#room.mustBe();
    const parent = this.#table.get(place.parent);
    const directory = this.#freeName(place);
    const body = { kind: "directory" as const, directory: new Directory(place.parent) };
    const mode = TYPE.directory | (node.mode & 0o7777) | (parent.mode & SET_GROUP_ID);
    const inode = this.#add(place, directory, body, { ...node, mode });
    parent.links++;
    return this.#referenced(inode);
  }

  makeSymlink(place: Place, target: ByteString, caller: Caller): Attributes {
    this.#room.mustBe();
    const node = { mode: TYPE.symlink | 0o777, rdev: 0, caller };
    const body = { kind: "symlink" as const, target };
    return this.#referenced(this.#add(place, this.#freeName(place), body, node));
  }

  link(ino: Ino, place: Place): Attributes {
    this.#room.mustBe();
    const inode = this.#table.get(ino);
    if (inode.body.kind === "directory") throw refusal("EPERM", "Directories have one name");
    if (inode.links >= LINKS_MAX) throw refusal("EMLINK", `Inode ${ino} has ${LINKS_MAX} names`);
    const isFirst = inode.isTemporary;
    if (inode.links === 0 && !isFirst) throw refusal("ENOENT", `Inode ${ino} has been deleted`);
    this.#freeName(place).set(place.name, ino);
    inode.links++;
    inode.isTemporary = false;
    if (isFirst) {
      this.#journal.fileCreated(inode);
      for (const name of inode.extendedAttributes?.keys() ?? []) {
        this.#journal.attributeChanged(ino, name);
      }
    }
    this.#nameChanged(place);
    this.#statusChanged(inode);
    return this.#referenced(inode);
  }

  unlink(place: Place): void {
    const { directory, inode } = this.#existing(place);
    if (inode.body.kind === "directory") throw refusal("EISDIR", "This is a directory");
    directory.delete(place.name);
    this.#nameChanged(place);
    this.#unlinked(inode);
  }

  removeDirectory(place: Place): void {
    const { directory, inode } = this.#existing(place);
    this.#mustBeEmpty(inode);
    directory.delete(place.name);
    this.#nameChanged(place);
    this.#removedDirectory(inode, place.parent);
  }

  rename(from: Place, to: Place, flags: number): void {
    const source = this.#existing(from);
    const target = this.#directory(to.parent).get(to.name);
    if ((flags & ~(RENAME.noReplace | RENAME.exchange)) !== 0) {
      throw refusal("EINVAL", `Rename flags ${flags} are not supported`);
    }
    checkName(to.name);
    if (this.#table.get(to.parent).links === 0) {
      throw refusal("ENOENT", "The directory has been removed");
    }
    if (this.#isBelow(to.parent, source.inode)) {
      throw refusal("EINVAL", "A directory cannot move into itself");
    }
    if ((flags & RENAME.exchange) !== 0) {
      if (target === undefined) throw refusal("ENOENT", "There is nothing to exchange with");
      if (target === source.inode.ino) return;
      this.#exchange(from, to, source.inode, this.#table.get(target));
      return;
    }
    if (target !== undefined) {
      if ((flags & RENAME.noReplace) !== 0) throw refusal("EEXIST", "The new name is taken");
      if (target === source.inode.ino) return;
      this.#replace(this.#table.get(target), source.inode, to);
    }
    this.#directory(from.parent).delete(from.name);
    this.#move(source.inode, from.parent, to);
    this.#nameChanged(from);
    this.#nameChanged(to);
    this.#statusChanged(source.inode);
  }

  read(ino: Ino, range: ByteRange, target: NativeBuffer): number;
  read(ino: Ino, range: ByteRange, target: NativeBuffer, request: Request): number | "handedOver";
  read(ino: Ino, range: ByteRange, target: NativeBuffer, request?: Request): number | "handedOver" {
    const { content } = this.#file(ino);
    const plan = content.plan(range);
    const done = request === undefined
      ? this.#reads.read(plan, target)
      : this.#reads.serve(plan, target, request);
    this.#counters.add("reads", 1);
    this.#counters.add("readBytes", done === "handedOver" ? range.sizeBytes : done);
    return done;
  }

  seek(ino: Ino, offsetBytes: number, what: "data" | "hole"): Found {
    return this.#file(ino).content.seek(offsetBytes, what);
  }

  write(ino: Ino, source: Address, range: ByteRange, options = { isAccepted: false }): void {
    const { inode, content } = this.#file(ino);
    const acceptedBytes = options.isAccepted ? range.sizeBytes : undefined;
    this.#journal.learnOfFailures();
    try {
      this.#room.within(() => content.write(source, range), acceptedBytes);
    } finally {
      // Even a write that fails may have made the data file.
      this.#journal.contentChanged(inode, content);
    }
    this.#counters.add("writes", 1);
    this.#counters.add("writtenBytes", range.sizeBytes);
    this.#room.wrote(range.sizeBytes);
  }

  mustAsk(ino: Ino): boolean {
    return this.#room.mustAsk(this.#table.find(ino));
  }

  mayWrite(ino: Ino): void {
    const inode = this.#table.get(ino);
    if (!this.mustAsk(ino)) return;
    try {
      this.#room.mayWrite(inode);
    } finally {
      this.#journal.contentChanged(inode, contentOf(inode));
    }
  }

  telling(ino: Ino, answer: AttributesAnswer): void {
    if (this.mustAsk(ino)) this.#room.gate.telling(ino, answer);
  }

  told(ino: Ino, answer: AttributesAnswer): void {
    if (this.mustAsk(ino)) this.#room.gate.told(ino, answer);
  }

  lose(ino: Ino, range: ByteRange, errno: number): void {
    this.#failures.lost(ino, errno);
    this.#room.lost(ino, range, errno);
  }

  clearPrivileges(ino: Ino): void {
    // The answer to a write does not tell of the mode, and the kernel goes on with the one it knows.
    if (this.#clearPrivileges(this.#table.get(ino))) this.#kernel?.forgetAttributes(ino);
  }

  allocate(ino: Ino, mode: number, range: ByteRange): void {
    const { inode, content } = this.#file(ino);
    if ((mode & FALLOCATE.punchHole) === 0) this.#room.mustBe();
    this.#journal.learnOfFailures();
    try {
      this.#room.within(() => content.allocate(mode, range));
    } finally {
      this.#journal.contentChanged(inode, content);
    }
  }

  sync(
    ino: Ino,
    request: Request,
    { dataOnly, pid = 0 }: { readonly dataOnly: boolean; readonly pid?: number },
  ): SyncReply {
    this.#counters.add("syncs", 1);
    return this.#journal.sync(this.#table.get(ino), { request, dataOnly, pid });
  }

  syncDirectory(_ino: Ino, request: Request): SyncReply {
    this.#counters.add("syncs", 1);
    return this.#journal.syncNames(request);
  }

  *list(ino: Ino, cookie: number): Generator<ListedEntry> {
    const directory = this.#directory(ino);
    const entry = (name: string, ino: Ino, cookie: number): ListedEntry => ({
      name: name as ByteString,
      cookie,
      ino,
      mode: this.#table.mode(ino) ?? TYPE.directory,
    });
    if (cookie < 1) yield entry(".", ino, 1);
    if (cookie < 2) yield entry("..", directory.parent, 2);
    for (const { name, ino, cookie: next } of directory.after(cookie)) {
      yield entry(name, ino, next);
    }
  }

  status(target: NativeBuffer): void {
    this.#libc.fstatvfs(this.#data.directoryFd, target.address);
    this.#room.correct(target);
  }

  setExtendedAttribute(ino: Ino, { name, value }: ExtendedAttribute, flags: number): void {
    this.#room.mustBe();
    const inode = this.#table.get(ino);
    if (!/^(user|trusted)\../s.test(name)) {
      throw refusal("EOPNOTSUPP", `Attributes such as ${name} are not supported`);
    }
    if (value.length > ATTRIBUTE_SIZE_BYTES_MAX) {
      throw refusal("ENOSPC", `A value of ${value.length} bytes is too large`);
    }
    const exists = inode.extendedAttributes?.has(name) ?? false;
    if (flags === 1 && exists) throw refusal("EEXIST", `${name} exists`);
    if (flags === 2 && !exists) throw refusal("ENODATA", `${name} does not exist`);
    inode.extendedAttributes ??= new Map();
    inode.extendedAttributes.set(name, value);
    this.#attributeChanged(inode, name);
  }

  getExtendedAttribute(ino: Ino, name: ByteString): Uint8Array<ArrayBuffer> | undefined {
    return this.#table.get(ino).extendedAttributes?.get(name);
  }

  listExtendedAttributes(ino: Ino): readonly ByteString[] {
    return [...(this.#table.get(ino).extendedAttributes?.keys() ?? [])];
  }

  removeExtendedAttribute(ino: Ino, name: ByteString): void {
    const inode = this.#table.get(ino);
    if (inode.extendedAttributes?.delete(name) !== true) {
      throw refusal("ENODATA", `${name} does not exist`);
    }
    this.#attributeChanged(inode, name);
  }

  deferredMs(): number | undefined {
    const journalMs = this.#journal.dueMs();
    const roomMs = this.#room.dueMs();
    if (journalMs === undefined || roomMs === undefined) return journalMs ?? roomMs;
    return Math.min(journalMs, roomMs);
  }

  doDeferred(): void {
    // Either may be due, and neither minds being early, but a commit costs.
    if (this.#room.dueMs() !== undefined) this.#room.doDue();
    if ((this.#journal.dueMs() ?? Infinity) <= 0 || this.#room.dueMs() === undefined) {
      this.#journal.commitDue();
    }
  }

  /**
   * Hands all changes to the committer, without waiting.
   *
   * @throws {PbkfsError} why not; or that what was handed over before could not be committed. Then
   * it is handed over once more.
   */
  commit(): void {
    this.#journal.commitAll();
    this.#journal.mustCommit();
  }

  /** After an unmount: makes everything durable. @throws {PbkfsError} as {@link syncAll}. */
  flush(): void {
    // Nobody holds what was deleted while open.
    for (const inode of [...this.#table.made()]) if (inode.links === 0) this.#drop(inode);
    this.#journal.finish();
  }

  /** Makes everything durable. @throws {PbkfsError} if something could not be. */
  syncAll(): void {
    this.#journal.flush();
  }

  /** Closes files. What was not flushed is as after a crash. */
  close(): void {
    this.#room.close();
    this.#data.close();
  }

  #referenced(inode: Inode): Attributes {
    const attributes = inode.attributes();
    // A kernel that knows the inode already is told to forget what it is told now. One that does
    // not could not be, until it has taken the answer over.
    const isFleeting = inode.lookups === 0 && this.#room.mustAsk(inode);
    inode.lookups++;
    if (isFleeting) this.#room.gate.isNew(inode.ino);
    return isFleeting ? { ...attributes, isFleeting } : attributes;
  }

  /** @returns Whether there were any. */
  #clearPrivileges(inode: Inode): boolean {
    if (inode.body.kind === "directory") return false;
    const isGroupToo = (inode.mode & GROUP_EXECUTE) !== 0;
    const mode = inode.mode & ~(SET_USER_ID | (isGroupToo ? SET_GROUP_ID : 0));
    if (mode === inode.mode) return false;
    inode.mode = mode;
    this.#statusChanged(inode);
    return true;
  }

  #directory(ino: Ino): Directory {
    const { body } = this.#table.get(ino);
    if (body.kind !== "directory") throw refusal("ENOTDIR", `Inode ${ino} is not a directory`);
    return body.directory;
  }

  #file(ino: Ino): { readonly inode: Inode; readonly content: FileContent } {
    const inode = this.#table.get(ino);
    if (inode.body.kind === "directory") throw refusal("EISDIR", `Inode ${ino} is a directory`);
    if (inode.body.kind !== "file") throw refusal("EINVAL", `Inode ${ino} is not a file`);
    return { inode, content: inode.body.content };
  }

  #existing(place: Place): { readonly directory: Directory; readonly inode: Inode } {
    const directory = this.#directory(place.parent);
    const ino = directory.get(place.name);
    if (ino === undefined) throw refusal("ENOENT", `There is no ${place.name}`);
    return { directory, inode: this.#table.get(ino) };
  }

  /** The directory of a name that can be made. */
  #freeName(place: Place): Directory {
    const parent = this.#table.get(place.parent);
    const directory = this.#directory(place.parent);
    if (parent.links === 0) throw refusal("ENOENT", "The directory has been removed");
    checkName(place.name);
    if (directory.get(place.name) !== undefined) throw refusal("EEXIST", `${place.name} exists`);
    return directory;
  }

  #add(place: Place, directory: Directory, body: NodeBody, node: NewNode): Inode {
    const parent = this.#table.get(place.parent);
    const links = body.kind === "directory" ? 2 : 1;
    const inode = this.#table.add(body, this.#statusOf(parent, node, links));
    directory.set(place.name, inode.ino);
    this.#journal.inodeChanged(inode);
    this.#nameChanged(place);
    return inode;
  }

  /** The status of what is made in a directory. */
  #statusOf(parent: Inode, node: NewNode, links: number): Omit<InodeRecord, "ino" | "target"> {
    const time = this.#now();
    return {
      mode: (node.mode & TYPE.mask) === 0 ? TYPE.file | node.mode : node.mode,
      uid: node.caller.uid,
      gid: (parent.mode & SET_GROUP_ID) !== 0 ? parent.gid : node.caller.gid,
      links,
      rdev: node.rdev,
      accessed: time,
      modified: time,
      changed: time,
      born: time,
    };
  }

  #nameChanged(place: Place): void {
    this.#journal.nameChanged(place.parent, place.name);
    const parent = this.#table.get(place.parent);
    parent.modified = parent.changed = this.#now();
    this.#journal.inodeChanged(parent);
  }

  #statusChanged(inode: Inode): void {
    inode.changed = this.#now();
    if (inode.links > 0) this.#journal.inodeChanged(inode);
  }

  #attributeChanged(inode: Inode, name: ByteString): void {
    if (inode.links > 0) this.#journal.attributeChanged(inode.ino, name);
    this.#statusChanged(inode);
  }

  #truncate(inode: Inode, sizeBytes: number): void {
    const { content } = this.#file(inode.ino);
    this.#journal.learnOfFailures();
    try {
      // Who makes a file shorter frees space, and must not be kept from it by the want of some.
      const frees = sizeBytes <= content.sizeBytes;
      this.#room.within(() => content.truncate(sizeBytes), frees ? PAGE_SIZE_BYTES : undefined);
    } finally {
      this.#journal.contentChanged(inode, content);
    }
    inode.modified = this.#now();
  }

  /** A name of a file is gone. */
  #unlinked(inode: Inode): void {
    inode.links--;
    inode.changed = this.#now();
    if (inode.links > 0) this.#journal.inodeChanged(inode);
    else this.#gone(inode);
  }

  #removedDirectory(inode: Inode, parent: Ino): void {
    inode.links = 0;
    this.#table.get(parent).links--;
    this.#gone(inode);
  }

  #gone(inode: Inode): void {
    this.#journal.inodeRemoved(inode);
    if (inode.lookups === 0) this.#drop(inode);
  }

  /** Nobody can reach the node any more. */
  #drop(inode: Inode): void {
    this.#table.delete(inode.ino);
    this.#failures.forget(inode.ino);
    if (inode.body.kind !== "file") return;
    const { dataId } = inode.body.content;
    if (dataId === undefined) return;
    this.#data.forget(dataId);
    this.#journal.dataDropped(inode, dataId);
  }

  #mustBeEmpty(inode: Inode): void {
    if (inode.body.kind !== "directory") throw refusal("ENOTDIR", "This is not a directory");
    if (inode.body.directory.size > 0) throw refusal("ENOTEMPTY", "The directory is not empty");
  }

  /** Whether `directory` is `inode` or somewhere in it. */
  #isBelow(directory: Ino, inode: Inode): boolean {
    if (inode.body.kind !== "directory") return false;
    for (let at = directory;; at = this.#directory(at).parent) {
      if (at === inode.ino) return true;
      if (at === this.#directory(at).parent) return false;
    }
  }

  /** Makes way for a rename onto `target`. */
  #replace(target: Inode, source: Inode, to: Place): void {
    const isDirectory = source.body.kind === "directory";
    if (!isDirectory && target.body.kind === "directory") {
      throw refusal("EISDIR", "A file cannot replace a directory");
    }
    if (isDirectory) this.#mustBeEmpty(target);
    this.#directory(to.parent).delete(to.name);
    if (isDirectory) this.#removedDirectory(target, to.parent);
    else this.#unlinked(target);
  }

  #move(inode: Inode, from: Ino, to: Place): void {
    this.#directory(to.parent).set(to.name, inode.ino);
    if (inode.body.kind !== "directory") return;
    inode.body.directory.parent = to.parent;
    this.#table.get(from).links--;
    this.#table.get(to.parent).links++;
  }

  #exchange(from: Place, to: Place, first: Inode, second: Inode): void {
    if (this.#isBelow(from.parent, second)) {
      throw refusal("EINVAL", "A directory cannot move into itself");
    }
    this.#directory(from.parent).delete(from.name);
    this.#directory(to.parent).delete(to.name);
    this.#move(first, from.parent, to);
    this.#move(second, to.parent, from);
    for (const place of [from, to]) this.#nameChanged(place);
    for (const inode of [first, second]) this.#statusChanged(inode);
  }
}

function checkName(name: ByteString): void {
  if (name.length > NAME_SIZE_BYTES_MAX) {
    throw refusal("ENAMETOOLONG", `A name of ${name.length} bytes is too long`);
  }
}
