/**
 * The interface of a file system that can be served. Nothing here knows what is in the files.
 *
 * A method returns its result, or throws an error with an `errno`. It does not await: what it has
 * checked stays true until it returns.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";
import type { ByteRange } from "../ffi/libc.ts";
import type { Address, NativeBuffer } from "../ffi/memory.ts";

/** An inode number. The root directory is 1. */
export type Ino = number & { readonly ino: unique symbol };

/** The inode number of the root directory. */
export const ROOT_INO = 1 as Ino;

/** A request of the kernel that has not been answered yet. */
export type Request = Address & { readonly request: unique symbol };

/** A point in time: whole seconds since 1970, and the nanoseconds of the second. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat(2) tells. */
export interface Attributes {
  readonly ino: Ino;
  /** Type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number of a device node, else 0. */
  readonly rdev: number;
  readonly sizeBytes: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks512: number;
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  readonly changed: Timestamp;
  /** The kernel must not keep them: it is to ask again before it lets anybody write. */
  readonly isFleeting?: boolean;
  /** When it was made, if that is known. */
  readonly born?: Timestamp | undefined;
}

/** What a SETATTR changes; an absent member stays. */
export interface AttributeChange {
  /** Permission bits. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
  readonly accessed?: Timestamp | "now";
  readonly modified?: Timestamp | "now";
  readonly changed?: Timestamp;
  /** Clears set-user-ID, and set-group-ID where the group may execute. So does a new owner. */
  readonly clearsPrivileges?: boolean;
}

/** A name in a directory. */
export interface Place {
  readonly parent: Ino;
  readonly name: ByteString;
}

/** Who asks. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
}

/** What to make. */
export interface NewNode {
  /** Type and permission bits. */
  readonly mode: number;
  readonly rdev: number;
  readonly caller: Caller;
}

/** A name in a directory listing. `cookie` resumes the listing after it. */
export interface ListedEntry {
  readonly name: ByteString;
  readonly cookie: number;
  readonly ino: Ino;
  /** Of which the type counts. */
  readonly mode: number;
}

/** An extended attribute's name and value. */
export interface ExtendedAttribute {
  readonly name: ByteString;
  readonly value: Uint8Array<ArrayBuffer>;
}

/**
 * Where data, or a hole, begins. As far as the file system knows there is nothing in the empty
 * range, on which the answer rests; but the kernel may have gathered writes there.
 */
export interface Found {
  /** undefined: there is none up to the end of the file, or the place is not before it. */
  readonly offsetBytes: number | undefined;
  readonly emptyFromBytes: number;
  /** `Infinity` if the range reaches beyond the end of the file. */
  readonly emptyEndBytes: number;
}

/** Flags of renameat2(2). */
export const RENAME = { noReplace: 1, exchange: 2 } as const;

/**
 * How a sync is answered: `done`, or `handedOver` to a worker that from then on owes the kernel
 * the answer.
 */
export type SyncReply = "done" | "handedOver";

/** What the kernel can be told without being asked. */
export interface Kernel {
  /**
   * Makes the kernel forget a node's attributes, so that it asks before the next write to it.
   *
   * @returns false if it does not know the node.
   */
  forgetAttributes(ino: Ino): boolean;
}

/** To what attributes are the answer: that they were asked for, a name, or a change of them. */
export type AttributesAnswer = "asked" | "entry" | "change";

/** A file system that {@link Session} serves. */
export interface FileSystem {
  /** @returns undefined if there is no such name; the kernel remembers that, too. */
  lookup(place: Place): Attributes | undefined;
  /** A listing told the kernel of this inode, which counts as a lookup of its name. */
  remember(ino: Ino): void;
  /** The kernel drops `count` references that lookups, listings and creations gave it. */
  forget(ino: Ino, count: number): void;
  getAttributes(ino: Ino): Attributes;
  setAttributes(ino: Ino, change: AttributeChange): Attributes;
  readLink(ino: Ino): ByteString;
  /** Makes anything but a directory or a symbolic link. */
  makeNode(place: Place, node: NewNode): Attributes;
  /**
   * Makes a regular file without a name. It is gone when the kernel lets go of it, unless
   * {@link FileSystem.link} has given it a name.
   */
  makeTemporary?(parent: Ino, node: NewNode): Attributes;
  makeDirectory(place: Place, node: NewNode): Attributes;
  makeSymlink(place: Place, target: ByteString, caller: Caller): Attributes;
  /** Gives the file a further name. */
  link(ino: Ino, place: Place): Attributes;
  unlink(place: Place): void;
  removeDirectory(place: Place): void;
  /** @param flags Bits of {@link RENAME}. */
  rename(from: Place, to: Place, flags: number): void;
  /**
   * Reads into `target`, from its start.
   *
   * @returns Bytes read, fewer at the end of the file only; or that a worker answers the request.
   */
  read(ino: Ino, range: ByteRange, target: NativeBuffer, request: Request): number | "handedOver";
  /** Where data, or a hole, begins, from a place on. The end of a file is a hole. */
  seek?(ino: Ino, offsetBytes: number, what: "data" | "hole"): Found;
  /**
   * Writes all of the range; its bytes begin at `source`. Times stay.
   *
   * @param options.isAccepted The kernel has gathered them: a program believes them written.
   */
  write(
    ino: Ino,
    source: Address,
    range: ByteRange,
    options?: { readonly isAccepted: boolean },
  ): void;
  /**
   * A write has failed for which nobody waits, of bytes that a program believes written. The kernel
   * tells those that have the file open, at their next sync.
   */
  lose?(ino: Ino, range: ByteRange, errno: number): void;
  /**
   * Clears set-user-ID, and set-group-ID where the group may execute, as after a write. The kernel is
   * made to forget the mode that it knows.
   */
  clearPrivileges(ino: Ino): void;
  /** @param mode Bits of fallocate(2). Times stay. */
  allocate(ino: Ino, mode: number, range: ByteRange): void;
  /** Makes a file's bytes durable, and all that finding them needs. `dataOnly`: not its times.
   * `pid`: of the thread that asks; 0 if it cannot be seen from here. */
  sync(
    ino: Ino,
    request: Request,
    options: { readonly dataOnly: boolean; readonly pid?: number },
  ): SyncReply;
  /** Makes a directory's entries durable. */
  syncDirectory(ino: Ino, request: Request): SyncReply;
  /** Entries after `cookie`, in a stable order; 0 is the start. `.` and `..` come with them. */
  list(ino: Ino, cookie: number): Iterable<ListedEntry>;
  /** Fills a `struct statvfs`. */
  status(target: NativeBuffer): void;
  /** @param flags 1: it must be new; 2: it must exist. */
  setExtendedAttribute(ino: Ino, attribute: ExtendedAttribute, flags: number): void;
  getExtendedAttribute(ino: Ino, name: ByteString): Uint8Array<ArrayBuffer> | undefined;
  listExtendedAttributes(ino: Ino): readonly ByteString[];
  removeExtendedAttribute(ino: Ino, name: ByteString): void;
  /**
   * Work that waits for a quiet moment, such as writing back.
   *
   * @returns Milliseconds until {@link FileSystem.doDeferred} wants to be called; undefined: never.
   */
  deferredMs(): number | undefined;
  doDeferred(): void;
  /** Before the first request: whom to tell. */
  attach?(kernel: Kernel): void;
  /**
   * Whether the kernel must ask before each write to this file. Answers with attributes of such a
   * file are announced, and told of when they are sent.
   */
  mustAsk?(ino: Ino): boolean;
  /** The kernel asks. @throws what the write is to fail with. */
  mayWrite?(ino: Ino): void;
  /** The kernel is about to be told the attributes of a file. Neither this nor the next one throws. */
  telling?(ino: Ino, answer: AttributesAnswer): void;
  told?(ino: Ino, answer: AttributesAnswer): void;
}
