/**
 * Sees to it that what was accepted finds room on disk, and that no more is accepted than does.
 *
 * The words are those of `space.ts`; `reserve.ts`, `spare_files.ts` and `write_gate.ts` are its means.
 *
 * @module
 */

import { ERRNO, errnoOf, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { readField, writeField } from "../../ffi/layout.ts";
import { type ByteRange, type Libc, STATVFS } from "../../ffi/libc.ts";
import type { NativeBuffer } from "../../ffi/memory.ts";
import { type Ino, type Place, ROOT_INO } from "../../fuse/mod.ts";
import type { Journal } from "../commit/journal.ts";
import type { DataFiles } from "../data/data_files.ts";
import type { Reserve } from "../data/reserve.ts";
import type { SpareFiles } from "../data/spare_files.ts";
import { contentOf, type Inode, type NodeBody } from "../names/inode.ts";
import type { InodeTable } from "../names/inode_table.ts";
import { Space, type SpaceChange, type SpaceLimits } from "./space.ts";
import { WriteGate } from "./write_gate.ts";

/** What is kept, and when writes are refused. */
export interface RoomOptions {
  readonly limits: SpaceLimits;
  readonly reserve?: Reserve | undefined;
  readonly spares?: SpareFiles | undefined;
  /** Files whose server does not survive a write that fails. */
  readonly vital?: VitalFiles;
  /** false: the kernel does not gather writes, or cannot be made to ask. */
  readonly asks: boolean;
  readonly onChange?: (change: SpaceChange) => void;
  /** Bytes that a program believes written could not be. */
  readonly onLost?: (lost: { ino: Ino; sizeBytes: number; errno: number }) => void;
  /** Memory of one cell, to show the state to other threads. */
  readonly shared?: SharedArrayBuffer | undefined;
}

/**
 * Files, and directories of files, that a server writes where it cannot go on if that fails. They are
 * written on a full disk as well.
 */
export interface VitalFiles {
  /** Written over in place, which takes no space. */
  readonly overwritten: readonly ByteString[];
  /** Small ones, also new: what is left when writes are refused is enough for them. */
  readonly small: readonly ByteString[];
}

/** What a room works with. */
interface RoomParts extends Partial<RoomOptions> {
  readonly table: InodeTable;
  readonly data: DataFiles;
  readonly journal: Journal;
  readonly libc: Libc;
  readonly clock: () => number;
}

/** What a small file may have. */
const SMALL_SIZE_BYTES = 1 << 16;

/** Finds room, or refuses. One thread uses it. */
export class Room {
  readonly gate: WriteGate;
  readonly #parts: RoomParts;
  readonly #space: Space | undefined;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.gate = new WriteGate(parts.clock);
    if (parts.limits === undefined) return;
    this.#space = new Space({
      libc: parts.libc,
      fd: parts.data.directoryFd,
      limits: parts.limits,
      reserve: parts.reserve,
      spares: parts.spares,
      onChange: (change) => this.#changed(change),
      clock: parts.clock,
      shared: parts.shared,
    });
    this.#space.look();
  }

  /** Whether the kernel must ask before a write to this node. */
  mustAsk(inode: Inode | undefined): boolean {
    const space = this.#space;
    if (space === undefined || space.state === "room" || this.#parts.asks !== true) return false;
    if (inode?.body.kind !== "file") return false;
    return space.isLow || inode.body.content.dataId === undefined;
  }

  /**
   * Somebody is about to write to a file that must ask.
   *
   * @throws {PbkfsError} ENOSPC or EDQUOT if that cannot be kept.
   */
  mayWrite(inode: Inode): void {
    const content = contentOf(inode);
    const { overwritten = [], small = [] } = this.#parts.vital ?? {};
    const isSmall = content.sizeBytes <= SMALL_SIZE_BYTES && this.#isAmong(small, inode.ino);
    if (this.#isLow() && !isSmall && !this.#isAmong(overwritten, inode.ino)) throw this.#refusal();
    if (content.dataId === undefined) {
      this.within(() => content.prepare(), isSmall ? SMALL_SIZE_BYTES : undefined);
    }
    if (!isSmall && this.#space?.isLow === true && !content.isAllocated) throw this.#refusal();
  }

  /**
   * @param place Of a file that is to be made.
   * @throws {PbkfsError} ENOSPC or EDQUOT if nothing new can be made.
   */
  mustBe(place?: Place): void {
    if (this.#isLow() && !(place !== undefined && this.isVital(place))) throw this.#refusal();
  }

  /** Whether a new file of this name is a small one that must be there. */
  isVital({ parent, name }: Place): boolean {
    return (this.#parts.vital?.small ?? []).some((path) => {
      const slash = path.lastIndexOf("/");
      if (this.#find(path) === parent) return true;
      const directory = slash < 0 ? ROOT_INO : this.#find(path.slice(0, slash) as ByteString);
      return directory === parent && path.slice(slash + 1) === name;
    });
  }

  /**
   * Does what needs space. What was deleted in the mount gives its space back a moment later, after
   * the commit; who writes then must not find the disk full.
   *
   * @param acceptedBytes Of what must not fail, because somebody believes it done.
   */
  within<T>(body: () => T, acceptedBytes?: number): T {
    const { data, journal } = this.#parts;
    try {
      for (let hasMadeRoom = false;;) {
        try {
          return body();
        } catch (error) {
          const errno = errnoOf(error);
          if (errno !== ERRNO.ENOSPC && errno !== ERRNO.EDQUOT) throw error;
          if (!hasMadeRoom && journal.makeRoom()) hasMadeRoom = true;
          else if (!this.#helps(errno, acceptedBytes)) throw error;
        }
      }
    } finally {
      data.mayUseSpares = false;
    }
  }

  /** Accepted bytes could not be written. */
  lost(ino: Ino, { sizeBytes }: ByteRange, errno: number): void {
    this.#parts.onLost?.({ ino, sizeBytes, errno });
  }

  wrote(sizeBytes: number): void {
    this.#space?.wrote(sizeBytes);
  }

  /** Makes a `struct statvfs` tell what can be written. */
  correct({ view }: NativeBuffer): void {
    if (this.#space === undefined) return;
    const { limits, isLow } = this.#space;
    const unit = readField(view, STATVFS.fragmentBytes);
    const left = Number(view.getBigUint64(STATVFS.available.at, true));
    const usable = Math.max(0, left - Math.ceil(limits.lowBytes / unit));
    writeField(view, STATVFS.available, isLow ? 0 : usable);
  }

  /** Milliseconds until {@link Room.doDue} is due; undefined: never. */
  dueMs(): number | undefined {
    const times = [this.#space?.dueMs(), this.gate.dueMs()].filter((ms) => ms !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  doDue(): void {
    if (this.gate.dueMs() === 0) this.gate.remind();
    if (this.#space?.dueMs() === 0) this.#space.look();
  }

  /** Gives back what was kept. */
  close(): void {
    this.#parts.spares?.remove();
    try {
      this.#parts.reserve?.remove();
    } catch {
      // The disk has gone, perhaps. The next mount takes over what is there.
    }
  }

  /** Finds something that may help a body which has failed. */
  #helps(errno: number, acceptedBytes: number | undefined): boolean {
    const { data } = this.#parts;
    const space = this.#space;
    if (space === undefined) return false;
    if (data.isOutOfFiles && !data.mayUseSpares) {
      space.outOfFiles();
      data.mayUseSpares = acceptedBytes !== undefined;
      if (data.mayUseSpares) return true;
    }
    if (acceptedBytes === undefined) return false;
    const found = space.take(acceptedBytes);
    space.exhausted(errno);
    return found;
  }

  /** Whether writes are to be refused. It looks: space may have been freed a moment ago. */
  #isLow(): boolean {
    const space = this.#space;
    if (space === undefined || !space.isLow) return false;
    this.#parts.journal.makeRoom();
    space.look();
    return space.isLow;
  }

  #refusal(): PbkfsError {
    const errno = this.#space?.errno ?? ERRNO.ENOSPC;
    return new PbkfsError("Io", { what: "The diff's file system is full", errno });
  }

  /** Whether a file is one of these, or in one of these directories. */
  #isAmong(paths: readonly ByteString[], wanted: Ino): boolean {
    return paths.some((path) => {
      const found = this.#find(path);
      if (found === wanted) return true;
      const body = found === undefined ? undefined : this.#parts.table.find(found)?.body;
      if (body?.kind !== "directory") return false;
      for (const { ino } of body.directory.after(0)) if (ino === wanted) return true;
      return false;
    });
  }

  #find(path: ByteString): Ino | undefined {
    let ino: Ino | undefined = ROOT_INO;
    for (const name of path.split("/") as ByteString[]) {
      const body: NodeBody | undefined = ino && this.#parts.table.find(ino)?.body;
      ino = body?.kind === "directory" ? body.directory.get(name) : undefined;
    }
    return ino;
  }

  #changed(change: SpaceChange): void {
    this.#parts.onChange?.(change);
    const files = [...this.#parts.table.made()]
      .filter((inode) => inode.lookups > 0 && inode.body.kind === "file");
    if (change.to === "room") this.gate.open();
    else this.gate.close(files.filter((inode) => this.mustAsk(inode)).map(({ ino }) => ino));
  }
}
