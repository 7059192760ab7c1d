/**
 * One file, directory or other node of the tree, while it is mounted.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Attributes, Ino, Timestamp } from "../../fuse/mod.ts";
import { SECTOR_SIZE_BYTES } from "../content/content_form.ts";
import type { FileContent } from "../content/file_content.ts";
import type { InodeRecord } from "../store/metadata_store.ts";
import type { Directory } from "./directory.ts";

/** As a small directory of ext4 has: one block of 4 KiB. */
const DIRECTORY_SIZE_BYTES = 4096;

/** What only this kind of node has. */
export type NodeBody =
  | { readonly kind: "file"; readonly content: FileContent }
  | { readonly kind: "directory"; readonly directory: Directory }
  | { readonly kind: "symlink"; readonly target: ByteString }
  | { readonly kind: "special" };

/** A node. Its numbers change; what it is does not. */
export class Inode {
  readonly ino: Ino;
  readonly body: NodeBody;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  rdev: number;
  accessed: Timestamp;
  modified: Timestamp;
  changed: Timestamp;
  readonly born: Timestamp | undefined;
  /** Made without a name, which it may still get. */
  isTemporary = false;
  /** References that the kernel holds. */
  lookups = 0;
  extendedAttributes: Map<ByteString, Uint8Array<ArrayBuffer>> | undefined;

  constructor(ino: Ino, body: NodeBody, from: Omit<InodeRecord, "ino" | "target">) {
    this.ino = ino;
    this.body = body;
    this.mode = from.mode;
    this.uid = from.uid;
    this.gid = from.gid;
    this.links = from.links;
    this.rdev = from.rdev;
    this.accessed = from.accessed;
    this.modified = from.modified;
    this.changed = from.changed;
    this.born = from.born;
  }

  /** As stat(2) tells it. */
  attributes(): Attributes {
    const sizeBytes = this.#sizeBytes();
    const { ino, mode, links, uid, gid, rdev, accessed, modified, changed, born } = this;
    const blocks512 = this.#blocks512(sizeBytes);
    const times = { accessed, modified, changed, born };
    return { ino, mode, links, uid, gid, rdev, sizeBytes, blocks512, ...times };
  }

  record(): InodeRecord {
    const { ino, mode, uid, gid, links, rdev, accessed, modified, changed, born } = this;
    const times = { accessed, modified, changed, ...(born !== undefined && { born }) };
    const record = { ino, mode, uid, gid, links, rdev, ...times };
    return this.body.kind === "symlink" ? { ...record, target: this.body.target } : record;
  }

  /** Takes over what the store says. */
  restore(record: InodeRecord): void {
    this.mode = record.mode;
    this.uid = record.uid;
    this.gid = record.gid;
    this.links = record.links;
    this.rdev = record.rdev;
    this.accessed = record.accessed;
    this.modified = record.modified;
    this.changed = record.changed;
  }

  /**
   * Never 0 for a file: the kernel may have gathered writes that we have not heard of, and does not
   * count them. A program such as `tar -S` takes a file without any block as one hole.
   */
  #blocks512(sizeBytes: number): number {
    if (this.body.kind === "file") return Math.max(1, this.body.content.blocks512);
    return Math.ceil(sizeBytes / SECTOR_SIZE_BYTES);
  }

  #sizeBytes(): number {
    switch (this.body.kind) {
      case "file":
        return this.body.content.sizeBytes;
      case "directory":
        return DIRECTORY_SIZE_BYTES;
      case "symlink":
        return this.body.target.length;
      case "special":
        return 0;
    }
  }
}

/** @throws {PbkfsError} EINVAL if the node is not a regular file. */
export function contentOf({ ino, body }: Inode): FileContent {
  if (body.kind === "file") return body.content;
  throw new PbkfsError("Io", { what: `Inode ${ino} is not a file`, errno: ERRNO.EINVAL });
}

/** No file is older or younger, in seconds from 1970: some 35,000 years. */
const SECONDS_MAX = 2 ** 40;

/** A time, or the nearest that is kept; file systems have such a limit, ext4 an earlier one. */
export function storable({ seconds, nanoseconds }: Timestamp): Timestamp {
  if (Math.abs(seconds) <= SECONDS_MAX) return { seconds, nanoseconds };
  return { seconds: Math.sign(seconds) * SECONDS_MAX, nanoseconds: 0 };
}

/** A point in time given in milliseconds since 1970. */
export function timestamp(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.floor(milliseconds - seconds * 1000) * 1_000_000 };
}
