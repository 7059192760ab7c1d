/**
 * A file that the diff has whole: it was made after the mount, or copied up.
 *
 * @module
 */

import type { Piece } from "../../backup/mod.ts";
import { type ByteRange, FALLOCATE, type Fd } from "../../ffi/libc.ts";
import type { Address } from "../../ffi/memory.ts";
import type { Ino } from "../../fuse/mod.ts";
import type { ContentRecord, DataId } from "../store/metadata_store.ts";
import {
  type ContentContext,
  type ContentRecords,
  type DataForm,
  type Extent,
  SECTOR_SIZE_BYTES,
} from "./content_form.ts";
import { dataBlocks512, dataExtent } from "./data_extent.ts";

/** Its data file is the file, also in its length. */
export class WholeForm implements DataForm {
  readonly kind = "whole";
  readonly dataId: DataId;
  readonly #context: ContentContext;
  /** -1: the data file has not been asked. */
  #sizeBytes = -1;
  /** -1: the data file has not been asked since it was changed. */
  #blocks512 = -1;
  #recordChanged = false;
  /** It was copied up, and the store has not been told yet. */
  #isNewCopy = false;
  /** Its length as the store was told; -1: it was not. */
  #toldBytes = -1;
  hasUnsyncedBytes = false;

  private constructor(context: ContentContext, dataId: DataId) {
    this.#context = context;
    this.dataId = dataId;
  }

  /** A file that is made now; its data file is there, and empty. */
  static create(context: ContentContext, dataId: DataId): WholeForm {
    const form = new WholeForm(context, dataId);
    form.#sizeBytes = form.#blocks512 = 0;
    form.#recordChanged = true;
    return form;
  }

  /** A copy of what the base has; its data file is there, with so many bytes. */
  static copied(context: ContentContext, dataId: DataId, sizeBytes: number): WholeForm {
    const form = new WholeForm(context, dataId);
    form.#sizeBytes = sizeBytes;
    form.#recordChanged = form.#isNewCopy = form.hasUnsyncedBytes = true;
    return form;
  }

  /** A file of the store. Who wrote it may have died before it was synced. */
  static restored(context: ContentContext, record: ContentRecord): WholeForm {
    const { dataId, foundBytes = -1, lengthBytes = -1 } = record;
    const form = new WholeForm(context, dataId);
    form.#sizeBytes = foundBytes;
    form.#toldBytes = lengthBytes;
    form.hasUnsyncedBytes = true;
    return form;
  }

  get sizeBytes(): number {
    if (this.#sizeBytes < 0) this.#sizeBytes = this.#context.libc.fstat(this.#fd()).sizeBytes;
    return this.#sizeBytes;
  }

  get blocks512(): number {
    if (this.#blocks512 < 0) this.#blocks512 = dataBlocks512(this.#context, this.dataId);
    return this.#blocks512;
  }

  get hasUncommittedChanges(): boolean {
    return this.#recordChanged;
  }

  /** Whether it is a copy that the store does not know of. */
  get isNewCopy(): boolean {
    return this.#isNewCopy;
  }

  /** Whether writing over its bytes takes no space. */
  get isAllocated(): boolean {
    const { sizeBytes, blocks512 } = this.#context.libc.fstat(this.#fd());
    return blocks512 * SECTOR_SIZE_BYTES >= sizeBytes;
  }

  plan(range: ByteRange): Piece[] {
    return [{ in: "file", fd: this.#fd(), range, isHeld: true }];
  }

  extent(at: number, end: number): Extent {
    return dataExtent(this.#context.libc, this.#fd(), at, end);
  }

  write(source: Address, range: ByteRange): void {
    this.#blocks512 = -1;
    this.hasUnsyncedBytes = true;
    try {
      this.#context.libc.pwrite(this.#fd(), source, range);
    } catch (error) {
      this.#sizeBytes = -1; // A part of it may have been written.
      throw error;
    }
    this.#growTo(range.offsetBytes + range.sizeBytes);
  }

  truncate(sizeBytes: number): void {
    this.#blocks512 = -1;
    this.#context.libc.ftruncate(this.#fd(), sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.hasUnsyncedBytes = true;
  }

  allocate(mode: number, range: ByteRange): void {
    this.#blocks512 = -1;
    this.#context.libc.fallocate(this.#fd(), mode, range);
    this.hasUnsyncedBytes = true;
    if ((mode & FALLOCATE.keepSize) === 0) this.#growTo(range.offsetBytes + range.sizeBytes);
  }

  /** Whether the store does not know its length. Then the next records tell. */
  mustTellLength(): boolean {
    if (this.#toldBytes === this.sizeBytes) return false;
    this.#recordChanged = true;
    return true;
  }

  takeRecords(ino: Ino): ContentRecords {
    this.#recordChanged = false;
    const lengthBytes = this.#toldBytes = this.#sizeBytes;
    const { kind: form, dataId } = this;
    const told = lengthBytes >= 0 && { lengthBytes };
    return { content: { ino, form, dataId, sizeBytes: 0, baseLimitBytes: 0, ...told }, pages: [] };
  }

  committed(): void {
    this.#isNewCopy = false;
  }

  commitFailed(): void {
    this.#recordChanged = true;
    this.#toldBytes = -1;
  }

  heal(): void {
    this.hasUnsyncedBytes = true;
    this.#sizeBytes = -1;
  }

  #fd(): Fd {
    return this.#context.data.fd(this.dataId);
  }

  #growTo(endBytes: number): void {
    if (endBytes > this.sizeBytes) this.#sizeBytes = endBytes;
  }
}
