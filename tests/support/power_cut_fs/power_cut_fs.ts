/**
 * A plain file system on a {@link Disk}. At a power cut it writes out what is left, and from then on
 * answers every request with EIO.
 *
 * It is told through itself: making the directory `.power-cut` in its root cuts the power, and
 * `.power-cut-after-N` does so before the N-th change or sync from then on.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../../errors.ts";
import type { ByteString } from "../../../ffi/bytes.ts";
import { TYPE } from "../../../ffi/file_type.ts";
import { type ByteRange, FALLOCATE, type Fd, systemLibc } from "../../../ffi/libc.ts";
import { type Address, borrow, type NativeBuffer } from "../../../ffi/memory.ts";
import {
  type AttributeChange,
  type Attributes,
  type Caller,
  type FileSystem,
  type Ino,
  type ListedEntry,
  type NewNode,
  type Place,
  RENAME,
  type Timestamp,
} from "../../../fuse/mod.ts";
import {
  directoryOf,
  type Disk,
  type DiskBody,
  DiskDirectory,
  type DiskNode,
  type NameChange,
} from "./disk.ts";
import { DISK_PAGE_SIZE_BYTES, DiskFile } from "./disk_file.ts";

const CUT = /^\.power-cut(?:-after-(\d+))?$/;

/** What it is made of. */
export interface PowerCutOptions {
  readonly disk: Disk;
  /** Called once, when the power is cut. */
  readonly onCut: () => void;
  /** Of a file system whose size and free space are told as ours. */
  readonly statusFd: Fd;
}

/** The file system. */
export class PowerCutFileSystem implements FileSystem {
  readonly #disk: Disk;
  readonly #options: PowerCutOptions;
  #isCut = false;
  /** Changes until the power is cut. */
  #left = Infinity;

  constructor(options: PowerCutOptions) {
    this.#options = options;
    this.#disk = options.disk;
  }

  lookup({ parent, name }: Place): Attributes | undefined {
    const node = directoryOf(this.#node(parent)).now.get(name);
    return node === undefined ? undefined : attributesOf(node);
  }

  remember(): void {}

  forget(): void {}

  getAttributes(ino: Ino): Attributes {
    return attributesOf(this.#node(ino));
  }

  setAttributes(ino: Ino, change: AttributeChange): Attributes {
    const node = this.#node(ino);
    if (change.sizeBytes !== undefined) {
      this.#countDown();
      fileOf(node).truncate(change.sizeBytes);
    }
    if (change.mode !== undefined) node.mode = (node.mode & TYPE.mask) | change.mode;
    node.uid = change.uid ?? node.uid;
    node.gid = change.gid ?? node.gid;
    const { modified } = change;
    if (modified === "now" || change.sizeBytes !== undefined) node.modifiedMs = Date.now();
    else if (modified !== undefined) node.modifiedMs = modified.seconds * 1000;
    return attributesOf(node);
  }

  readLink(ino: Ino): ByteString {
    const { body } = this.#node(ino);
    if (body.kind !== "symlink") throw refusal("EINVAL");
    return body.target as ByteString;
  }

  makeNode(place: Place, node: NewNode): Attributes {
    const isFile = (node.mode & TYPE.mask) === TYPE.file || (node.mode & TYPE.mask) === 0;
    const body: DiskBody = isFile ? { kind: "file", file: new DiskFile() } : { kind: "special" };
    const mode = (node.mode & TYPE.mask) === 0 ? TYPE.file | node.mode : node.mode;
    return this.#make(place, body, mode, node.caller);
  }

  makeDirectory(place: Place, node: NewNode): Attributes {
    const wanted = CUT.exec(place.name);
    if (wanted !== null && place.parent === this.#disk.root.ino) {
      if (wanted[1] === undefined) this.#cut();
      else this.#left = Number(wanted[1]);
      throw refusal("EEXIST");
    }
    const body = { kind: "directory" as const, directory: new DiskDirectory() };
    return this.#make(place, body, TYPE.directory | node.mode, node.caller);
  }

  makeSymlink(place: Place, target: ByteString, caller: Caller): Attributes {
    return this.#make(place, { kind: "symlink", target }, TYPE.symlink | 0o777, caller);
  }

  link(ino: Ino, place: Place): Attributes {
    const node = this.#node(ino);
    this.#change([{ ...this.#free(place), node }]);
    node.links++;
    return attributesOf(node);
  }

  unlink(place: Place): void {
    const { directory, name, node } = this.#existing(place);
    this.#change([{ directory, name, node: undefined }]);
    node.links--;
  }

  removeDirectory(place: Place): void {
    const { directory, name, node } = this.#existing(place);
    if (directoryOf(node).now.size > 0) throw refusal("ENOTEMPTY");
    this.#change([{ directory, name, node: undefined }]);
  }

  rename(from: Place, to: Place, flags: number): void {
    const source = this.#existing(from);
    const directory = this.#node(to.parent);
    const target = directoryOf(directory).now.get(to.name);
    if ((flags & RENAME.exchange) !== 0) throw refusal("EINVAL");
    if (target !== undefined) {
      if ((flags & RENAME.noReplace) !== 0) throw refusal("EEXIST");
      if (target === source.node) return;
      if (target.body.kind === "directory" && target.body.directory.now.size > 0) {
        throw refusal("ENOTEMPTY");
      }
      target.links--;
    }
    this.#change([
      { directory: source.directory, name: source.name, node: undefined },
      { directory, name: to.name, node: source.node },
    ]);
  }

  read(ino: Ino, { offsetBytes, sizeBytes }: ByteRange, target: NativeBuffer): number {
    return fileOf(this.#node(ino)).read(offsetBytes, target.bytes.subarray(0, sizeBytes));
  }

  write(ino: Ino, source: Address, { offsetBytes, sizeBytes }: ByteRange): void {
    const node = this.#node(ino);
    this.#countDown();
    fileOf(node).write(offsetBytes, borrow(source, sizeBytes));
    node.modifiedMs = Date.now();
  }

  clearPrivileges(): void {}

  allocate(ino: Ino, mode: number, { offsetBytes, sizeBytes }: ByteRange): void {
    const file = fileOf(this.#node(ino));
    this.#countDown();
    const end = offsetBytes + sizeBytes;
    if ((mode & (FALLOCATE.punchHole | FALLOCATE.zeroRange)) !== 0) {
      const zeros = Math.min(end, file.sizeBytes) - offsetBytes;
      if (zeros > 0) file.write(offsetBytes, new Uint8Array(zeros));
    }
    if ((mode & FALLOCATE.keepSize) === 0 && end > file.sizeBytes) file.truncate(end);
  }

  sync(ino: Ino): "done" {
    this.#countDown();
    this.#disk.sync(this.#node(ino));
    return "done";
  }

  syncDirectory(ino: Ino): "done" {
    return this.sync(ino);
  }

  *list(ino: Ino, cookie: number): Generator<ListedEntry> {
    const node = this.#node(ino);
    const { now, parent } = directoryOf(node);
    const entry = (name: string, { ino, mode }: DiskNode, cookie: number): ListedEntry => ({
      name: name as ByteString,
      ino: ino as Ino,
      cookie,
      mode,
    });
    if (cookie < 1) yield entry(".", node, 1);
    if (cookie < 2) yield entry("..", parent as DiskNode, 2);
    // By number, which only grows, so that the order stays while names come and go.
    const names = [...now].sort(([, a], [, b]) => a.ino - b.ino);
    for (const [at, [name, child]] of names.entries()) {
      const isSecondName = names[at - 1]?.[1] === child;
      const next = 3 + child.ino * 2 + (isSecondName ? 1 : 0);
      if (next > cookie) yield entry(name, child, next);
    }
  }

  status(target: NativeBuffer): void {
    systemLibc().fstatvfs(this.#options.statusFd, target.address);
  }

  setExtendedAttribute(): void {
    throw refusal("EOPNOTSUPP");
  }

  getExtendedAttribute(): undefined {
    return undefined;
  }

  listExtendedAttributes(): readonly ByteString[] {
    return [];
  }

  removeExtendedAttribute(): void {
    throw refusal("ENODATA");
  }

  deferredMs(): undefined {
    return undefined;
  }

  doDeferred(): void {}

  #node(ino: number): DiskNode {
    if (this.#isCut) throw refusal("EIO");
    const node = this.#disk.node(ino);
    if (node === undefined) throw refusal("ESTALE");
    return node;
  }

  #free({ parent, name }: Place): { directory: DiskNode; name: string } {
    const directory = this.#node(parent);
    if (directoryOf(directory).now.has(name)) throw refusal("EEXIST");
    return { directory, name };
  }

  #existing({ parent, name }: Place): { directory: DiskNode; name: string; node: DiskNode } {
    const directory = this.#node(parent);
    const node = directoryOf(directory).now.get(name);
    if (node === undefined) throw refusal("ENOENT");
    return { directory, name, node };
  }

  #make(place: Place, body: DiskBody, mode: number, { uid, gid }: Caller): Attributes {
    const free = this.#free(place);
    const node = this.#disk.make(body, { mode, uid, gid });
    this.#change([{ ...free, node }]);
    return attributesOf(node);
  }

  #change(names: NameChange["names"]): void {
    this.#countDown();
    this.#disk.change(names);
  }

  #countDown(): void {
    if (this.#isCut || --this.#left > 0) return;
    this.#cut();
    throw refusal("EIO");
  }

  #cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#options.onCut();
  }
}

function attributesOf(node: DiskNode): Attributes {
  const { ino, mode, links, uid, gid, modifiedMs, body } = node;
  const seconds = Math.floor(modifiedMs / 1000);
  const time: Timestamp = { seconds, nanoseconds: (modifiedMs % 1000) * 1_000_000 };
  const file = body.kind === "file" ? body.file : undefined;
  const sizeBytes = body.kind === "symlink" ? body.target.length : file?.sizeBytes ?? 4096;
  return {
    ino: ino as Ino,
    mode,
    links,
    uid,
    gid,
    rdev: 0,
    sizeBytes,
    blocks512: ((file?.pagesCount ?? 1) * DISK_PAGE_SIZE_BYTES) / 512,
    accessed: time,
    modified: time,
    changed: time,
  };
}

function fileOf({ body }: DiskNode): DiskFile {
  if (body.kind !== "file") throw refusal("EINVAL");
  return body.file;
}

function refusal(errno: keyof typeof ERRNO): PbkfsError {
  return new PbkfsError("Io", { what: errno, errno: ERRNO[errno] });
}
