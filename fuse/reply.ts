/**
 * Answers to the kernel. Each function answers its request, which must not be used afterwards.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";
import { bytesOf } from "../ffi/bytes.ts";
import {
  FILE_INFO_CACHE_READDIR,
  FILE_INFO_KEEP_CACHE,
  FUSE_ENTRY_PARAM,
  FUSE_ENTRY_PARAM_ATTR_AT,
  FUSE_ENTRY_PARAM_SIZE_BYTES,
  FUSE_FILE_INFO,
  FUSE_FILE_INFO_SIZE_BYTES,
  STAT,
  STAT_SIZE_BYTES,
} from "../ffi/fuse_layout.ts";
import { readField, writeField } from "../ffi/layout.ts";
import { type Libfuse, libfuse } from "../ffi/libfuse.ts";
import { type Address, allocate, type NativeBuffer, offset } from "../ffi/memory.ts";
import type { Attributes, ListedEntry, Request } from "./file_system.ts";

/**
 * The kernel may remember names and attributes for years: nobody else changes them. It must not
 * forget attributes by itself: what it then asks, for `lseek` perhaps, looks as before a write.
 */
export const CACHE_SECONDS = 1e8;

/** What programs are told to read and write at a time: `st_blksize`. */
export const IO_SIZE_BYTES = 8192;

/** Room for a listing, at least what the kernel asks for in one request. */
const LISTING_SIZE_BYTES = 1 << 17;

/** Answers a request with an errno, or 0 for success. Any thread may do this. */
export function replyError(request: Request, errno: number): void {
  libfuse().fuse_reply_err(request, errno);
}

/** Answers a READ. Any thread may do this. */
export function replyBytes(request: Request, from: Address, sizeBytes: number): void {
  libfuse().fuse_reply_buf(request, from, sizeBytes);
}

/** Sends answers. Its buffers are reused from request to request; one thread uses it. */
export class Replier {
  readonly #fuse: Libfuse;
  readonly #entry: NativeBuffer = allocate(FUSE_ENTRY_PARAM_SIZE_BYTES);
  readonly #stat: DataView;
  readonly #statAddress: Address;
  readonly #fileInfo: NativeBuffer = allocate(FUSE_FILE_INFO_SIZE_BYTES);
  readonly #listing: NativeBuffer = allocate(LISTING_SIZE_BYTES);

  constructor(fuse: Libfuse) {
    this.#fuse = fuse;
    const { buffer, byteOffset } = this.#entry.bytes;
    this.#stat = new DataView(buffer, byteOffset + FUSE_ENTRY_PARAM_ATTR_AT, STAT_SIZE_BYTES);
    this.#statAddress = offset(this.#entry.address, FUSE_ENTRY_PARAM_ATTR_AT);
    writeField(this.#entry.view, FUSE_ENTRY_PARAM.attrTimeout, CACHE_SECONDS);
    writeField(this.#entry.view, FUSE_ENTRY_PARAM.entryTimeout, CACHE_SECONDS);
  }

  /** @param errno 0 for success without a result. */
  error(request: Request, errno: number): void {
    this.#fuse.fuse_reply_err(request, errno);
  }

  nothing(request: Request): void {
    this.#fuse.fuse_reply_none(request);
  }

  /** Without attributes: there is no such name, and the kernel may remember that. */
  entry(request: Request, attributes: Attributes | undefined): void {
    this.#fillEntry(attributes);
    this.#fuse.fuse_reply_entry(request, this.#entry.address);
  }

  created(request: Request, attributes: Attributes): void {
    this.#fillEntry(attributes);
    this.#fillFileInfo();
    this.#fuse.fuse_reply_create(request, this.#entry.address, this.#fileInfo.address);
  }

  attributes(request: Request, attributes: Attributes): void {
    fillStat(this.#stat, attributes);
    this.#fuse.fuse_reply_attr(request, this.#statAddress, secondsOf(attributes));
  }

  opened(request: Request): void {
    this.#fillFileInfo();
    this.#fuse.fuse_reply_open(request, this.#fileInfo.address);
  }

  link(request: Request, target: ByteString): void {
    this.#fuse.fuse_reply_readlink(request, bytesOf(target, 1));
  }

  written(request: Request, sizeBytes: number): void {
    this.#fuse.fuse_reply_write(request, sizeBytes);
  }

  bytes(request: Request, from: Address, sizeBytes: number): void {
    this.#fuse.fuse_reply_buf(request, from, sizeBytes);
  }

  status(request: Request, statvfs: Address): void {
    this.#fuse.fuse_reply_statfs(request, statvfs);
  }

  /** A value, or only its size if the caller has given no room for it. */
  value(request: Request, value: NativeBuffer, roomBytes: number): "sent" | "tooLarge" {
    if (roomBytes === 0) this.#fuse.fuse_reply_xattr(request, value.sizeBytes);
    else if (value.sizeBytes > roomBytes) return "tooLarge";
    else this.#fuse.fuse_reply_buf(request, value.address, value.sizeBytes);
    return "sent";
  }

  /**
   * As many entries as fit.
   *
   * @param attributesOf For a listing with attributes: those of an entry, undefined if the kernel
   * is to know no more than its name.
   * @param listed Called for each entry that was sent with its attributes.
   */
  listing(request: Request, entries: Iterable<ListedEntry>, options: {
    readonly roomBytes: number;
    readonly attributesOf: ((entry: ListedEntry) => Attributes | undefined) | undefined;
    readonly listed: (entry: ListedEntry) => void;
  }): void {
    const { attributesOf, listed } = options;
    const room = Math.min(options.roomBytes, this.#listing.sizeBytes);
    const add = attributesOf === undefined
      ? this.#fuse.fuse_add_direntry
      : this.#fuse.fuse_add_direntry_plus;
    const what = attributesOf === undefined ? this.#statAddress : this.#entry.address;
    let used = 0;
    for (const entry of entries) {
      const attributes = attributesOf?.(entry);
      this.#fillEntry(attributes);
      writeField(this.#stat, STAT.ino, entry.ino);
      writeField(this.#stat, STAT.mode, attributes?.mode ?? entry.mode);
      const end = offset(this.#listing.address, used);
      const name = bytesOf(entry.name, 1);
      const needed = Number(add(request, end, room - used, name, what, entry.cookie));
      if (needed > room - used) break;
      used += needed;
      if (attributes !== undefined) listed(entry);
    }
    this.#fuse.fuse_reply_buf(request, this.#listing.address, used);
  }

  #fillEntry(attributes: Attributes | undefined): void {
    writeField(this.#entry.view, FUSE_ENTRY_PARAM.ino, attributes?.ino ?? 0);
    if (attributes === undefined) return;
    fillStat(this.#stat, attributes);
    writeField(this.#entry.view, FUSE_ENTRY_PARAM.attrTimeout, secondsOf(attributes));
  }

  #fillFileInfo(): void {
    const bits = FILE_INFO_KEEP_CACHE | FILE_INFO_CACHE_READDIR;
    writeField(this.#fileInfo.view, FUSE_FILE_INFO.bits, bits);
  }
}

/** How long the kernel may remember attributes. */
export function secondsOf({ isFleeting }: Attributes): number {
  return isFleeting === true ? 0 : CACHE_SECONDS;
}

/** Writes attributes as a `struct stat`. */
function fillStat(view: DataView, from: Attributes): void {
  writeField(view, STAT.ino, from.ino);
  writeField(view, STAT.nlink, from.links);
  writeField(view, STAT.mode, from.mode);
  writeField(view, STAT.uid, from.uid);
  writeField(view, STAT.gid, from.gid);
  writeField(view, STAT.rdev, from.rdev);
  writeField(view, STAT.size, from.sizeBytes);
  writeField(view, STAT.blksize, IO_SIZE_BYTES);
  writeField(view, STAT.blocks, from.blocks512);
  writeField(view, STAT.atimeSeconds, from.accessed.seconds);
  writeField(view, STAT.atimeNanoseconds, from.accessed.nanoseconds);
  writeField(view, STAT.mtimeSeconds, from.modified.seconds);
  writeField(view, STAT.mtimeNanoseconds, from.modified.nanoseconds);
  writeField(view, STAT.ctimeSeconds, from.changed.seconds);
  writeField(view, STAT.ctimeNanoseconds, from.changed.nanoseconds);
}

/** A member of a `struct stat` that libfuse hands to a callback. */
export function readStat(view: DataView, name: keyof typeof STAT): number {
  return readField(view, STAT[name]);
}
