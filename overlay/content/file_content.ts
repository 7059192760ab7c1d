/**
 * The bytes of one file: which form they are in, and how one form becomes another.
 *
 * A file begins as the base has it. The first change gives it a data file in the diff: a small file
 * is copied up *whole*; a data file of PostgreSQL, or a large one, becomes *paged*. What is made
 * after the mount is whole from the start. A copy that could not be synced is made again, or, if it
 * cannot be, the file is as the base has it once more. There are no other changes of form.
 *
 * @module
 */

import type { Piece } from "../../backup/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteRange, FALLOCATE } from "../../ffi/libc.ts";
import { type Address, allocate, type NativeBuffer } from "../../ffi/memory.ts";
import type { Found, Ino } from "../../fuse/mod.ts";
import type { ContentRecord, DataId, PageMapRecord } from "../store/metadata_store.ts";
import { BaseForm } from "./base_form.ts";
import {
  type BaseFile,
  type ContentContext,
  type ContentRecords,
  PAGE_SIZE_BYTES,
} from "./content_form.ts";
import { PagedForm } from "./paged_form.ts";
import { readBase } from "./read_base.ts";
import { WholeForm } from "./whole_form.ts";

export {
  type BaseFile,
  type ContentContext,
  type Extent,
  PAGE_SIZE_BYTES,
} from "./content_form.ts";

/**
 * No file is longer: 16 TiB, which is what ext4 can hold, and far below what a number holds
 * exactly. A page less than that, since a page is filled to its end.
 */
export const FILE_SIZE_BYTES_MAX = 2 ** 44 - PAGE_SIZE_BYTES;

/** Up to this size, a file that is not a data file is copied up whole. */
export const COPY_UP_SIZE_BYTES_MAX = 1 << 20;

const EMPTY: BaseFile = {
  isDataFile: false,
  sizeBytes: 0,
  plan: () => [],
  extent: () => ({ isHole: true, endBytes: 0 }),
};

/** Of all files that the base does not have, before they have bytes. */
const NOTHING = new BaseForm(EMPTY);

const scratch: { copy?: NativeBuffer } = {};
const copyBuffer = () => scratch.copy ??= allocate(COPY_UP_SIZE_BYTES_MAX);

/** The content of a regular file. */
export class FileContent {
  readonly #context: ContentContext;
  readonly #base: BaseFile;
  #form: BaseForm | WholeForm | PagedForm;
  /** The last job that syncs or commits it. */
  #lastJob = 0;

  /** @param base What the file is in the base; undefined for a new file. */
  constructor(context: ContentContext, base: BaseFile | undefined) {
    this.#context = context;
    this.#base = base ?? EMPTY;
    this.#form = base === undefined ? NOTHING : new BaseForm(base);
  }

  /** The content of a file that is made now. */
  static create(context: ContentContext): FileContent {
    const content = new FileContent(context, undefined);
    content.#form = WholeForm.create(context, newDataFile(context));
    return content;
  }

  /** Takes over what the store says. Its page map comes by {@link FileContent.setPages}. */
  restore(record: ContentRecord): void {
    this.#form = record.form === "whole"
      ? WholeForm.restored(this.#context, record)
      : PagedForm.restored(this.#context, this.#base, record);
  }

  setPages(record: PageMapRecord): void {
    if (this.#form.kind === "paged") this.#form.setPages(record);
  }

  get sizeBytes(): number {
    return this.#form.sizeBytes;
  }

  /** Space taken, in units of 512 bytes; what the base has counts as it would after a restore. */
  get blocks512(): number {
    return this.#form.blocks512;
  }

  /** The data file in the diff; undefined while the file is as the base has it. */
  get dataId(): DataId | undefined {
    return this.#form.kind === "base" ? undefined : this.#form.dataId;
  }

  /**
   * Where the bytes of a read lie, clipped at the end of the file. Descriptors are valid until the
   * next call of anything that opens files.
   */
  plan({ offsetBytes, sizeBytes }: ByteRange): Piece[] {
    const end = Math.min(offsetBytes + sizeBytes, this.sizeBytes);
    return end > offsetBytes ? this.#form.plan({ offsetBytes, sizeBytes: end - offsetBytes }) : [];
  }

  /** Where data, or a hole, begins, from a place on. The end of a file is a hole. */
  seek(offsetBytes: number, what: "data" | "hole"): Found {
    const size = this.sizeBytes;
    if (offsetBytes >= size) {
      return { offsetBytes: undefined, emptyFromBytes: size, emptyEndBytes: Infinity };
    }
    let start = offsetBytes;
    if (what === "hole") start = this.#endOfRun(start, size, false);
    const end = this.#endOfRun(start, size, true);
    const emptyEndBytes = end === size ? Infinity : end;
    if (what === "hole") return { offsetBytes: start, emptyFromBytes: start, emptyEndBytes };
    const found = end === size ? undefined : end;
    return { offsetBytes: found, emptyFromBytes: start, emptyEndBytes };
  }

  /** Writes all of `range`; its bytes begin at `source`. */
  write(source: Address, range: ByteRange): void {
    if (range.sizeBytes === 0) return;
    mustFit(range.offsetBytes + range.sizeBytes);
    this.#changeable().write(source, range);
  }

  /** Makes the data file that the first change needs, so that a write finds it. */
  prepare(): void {
    this.#changeable();
  }

  /** Whether writing over its bytes takes no space. */
  get isAllocated(): boolean {
    return this.#form.kind === "whole" && this.#form.isAllocated;
  }

  /** Lowers or raises the size; what is added reads as zeros. */
  truncate(sizeBytes: number): void {
    if (this.#form.kind === "base" && sizeBytes === this.sizeBytes) return;
    mustFit(sizeBytes);
    this.#changeable(sizeBytes).truncate(sizeBytes);
  }

  /** fallocate(2): reserves space, or makes a range zero. Other modes are refused. */
  allocate(mode: number, range: ByteRange): void {
    const keepSize = (mode & FALLOCATE.keepSize) !== 0;
    const kind = mode & ~FALLOCATE.keepSize;
    const zeroes = kind === FALLOCATE.zeroRange || (kind === FALLOCATE.punchHole && keepSize);
    if (kind !== 0 && !zeroes) throw unsupported(mode);
    mustFit(range.offsetBytes + range.sizeBytes);
    this.#changeable().allocate(mode, range);
  }

  /** Bytes were written that no job has been made to sync. */
  get hasUnsyncedBytes(): boolean {
    return this.#form.kind !== "base" && this.#form.hasUnsyncedBytes;
  }

  /** A job is about to be made that syncs all bytes written so far. */
  syncTaken(): void {
    if (this.#form.kind !== "base") this.#form.hasUnsyncedBytes = false;
  }

  /** The job was not made. */
  syncPutBack(): void {
    if (this.#form.kind !== "base") this.#form.hasUnsyncedBytes = true;
  }

  /** Whether the store has to be told before what is on disk makes sense. */
  get hasUncommittedChanges(): boolean {
    return this.#form.kind !== "base" && this.#form.hasUncommittedChanges;
  }

  /** It is in a job, which syncs or commits it. */
  isIn(job: number): void {
    this.#lastJob = job;
  }

  /** Whether the store does not know the length of a whole file. Then the next records tell. */
  mustTellLength(): boolean {
    return this.#form.kind === "whole" && this.#form.mustTellLength();
  }

  /** What to commit, as of now. Told again if {@link FileContent.commitFailed}. */
  takeRecords(ino: Ino): ContentRecords | undefined {
    return this.#form.kind === "base" ? undefined : this.#form.takeRecords(ino);
  }

  /** What {@link FileContent.takeRecords} told is in the store. */
  committed(pages: readonly PageMapRecord[]): void {
    if (this.#form.kind !== "base") this.#form.committed(pages);
  }

  commitFailed(pages: readonly PageMapRecord[]): void {
    if (this.#form.kind !== "base") this.#form.commitFailed(pages);
  }

  /**
   * Its bytes could not be synced. Which of them are on disk nobody knows, and the system has
   * forgotten that it does not know. So it becomes what it would be after a crash: a page that the
   * store does not know of is dropped, and what is below shows again; others are old or new.
   *
   * @returns A data file that is not needed any more.
   */
  heal(): DataId | undefined {
    const form = this.#form;
    if (form.kind === "base") return undefined;
    form.heal();
    return form.kind === "whole" && form.isNewCopy ? this.#copyAgain(form) : undefined;
  }

  /**
   * Gives the space of pages that were cut back to the file system, after a job has been committed.
   * A later one may have told the store of a cut that it does not know yet: then that one does.
   */
  reclaim(job: number): void {
    if (this.#form.kind === "paged" && this.#lastJob === job) this.#form.reclaim();
  }

  /** Where a run of holes, or of data, ends that begins at `from`; there if it is not of that kind. */
  #endOfRun(from: number, end: number, ofHoles: boolean): number {
    let at = from;
    while (at < end) {
      const extent = this.#form.extent(at, end);
      if (extent.isHole !== ofHoles) break;
      at = extent.endBytes;
    }
    return Math.min(at, end);
  }

  /** The form in which it can be changed. @param sizeBytes What it will be cut to, if it is. */
  #changeable(sizeBytes = Infinity): WholeForm | PagedForm {
    if (this.#form.kind !== "base") return this.#form;
    const size = this.sizeBytes;
    const isCopied = !this.#base.isDataFile && size <= COPY_UP_SIZE_BYTES_MAX;
    return this.#form = isCopied ? this.#copyUp(Math.min(size, sizeBytes)) : this.#page();
  }

  #page(): PagedForm {
    return PagedForm.create(this.#context, this.#base, newDataFile(this.#context));
  }

  #copyUp(sizeBytes: number): WholeForm {
    const { libc, data, newDataId } = this.#context;
    const range = { offsetBytes: 0, sizeBytes };
    const buffer = copyBuffer();
    readBase(this.#context, this.#base, range, buffer);
    const id = newDataId();
    const fd = data.create(id);
    try {
      libc.pwrite(fd, buffer.address, range);
    } catch (error) {
      data.discard(id); // It would take space, and there may be none.
      throw error;
    }
    return WholeForm.copied(this.#context, id, sizeBytes);
  }

  /** The copy may have lost what nobody wrote: it is made again, as long as the file is now. */
  #copyAgain(lost: WholeForm): DataId {
    const { sizeBytes } = lost;
    this.#form = new BaseForm(this.#base);
    try {
      const copy = this.#form = this.#copyUp(Math.min(sizeBytes, this.#base.sizeBytes));
      if (sizeBytes > copy.sizeBytes) copy.truncate(sizeBytes);
    } catch {
      // Then it is as the base has it.
    }
    return lost.dataId;
  }
}

/** Makes an empty data file. */
function newDataFile({ data, newDataId }: ContentContext): DataId {
  const id = newDataId();
  data.create(id);
  return id;
}

/** @throws {PbkfsError} EFBIG if a file cannot be that long. */
function mustFit(sizeBytes: number): void {
  if (sizeBytes <= FILE_SIZE_BYTES_MAX) return;
  throw new PbkfsError("Io", {
    what: `A file cannot become ${sizeBytes} bytes long`,
    errno: ERRNO.EFBIG,
  });
}

function unsupported(mode: number): PbkfsError {
  return new PbkfsError("Io", {
    what: `fallocate mode ${mode} is not supported`,
    errno: ERRNO.EOPNOTSUPP,
  });
}
