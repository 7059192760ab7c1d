/**
 * A file of which the diff has pages: those that were written, at their own offset in a sparse data
 * file. A page map says which they are.
 *
 * What holds at all times: bytes that the page map does not cover come from the base below
 * `baseLimitBytes` and are zeros above it; the limit never exceeds the file's size and never rises,
 * so what was cut off never comes back; bytes of a held page beyond the size are zeros.
 *
 * @module
 */

import type { Piece } from "../../backup/mod.ts";
import { type ByteRange, FALLOCATE, type Fd } from "../../ffi/libc.ts";
import { type Address, allocate, type NativeBuffer } from "../../ffi/memory.ts";
import type { Ino } from "../../fuse/mod.ts";
import type { ContentRecord, DataId, PageMapRecord } from "../store/metadata_store.ts";
import {
  type BaseFile,
  type ContentContext,
  type ContentRecords,
  type DataForm,
  type Extent,
  PAGE_SIZE_BYTES,
  SECTOR_SIZE_BYTES,
} from "./content_form.ts";
import { dataBlocks512, dataExtent } from "./data_extent.ts";
import { PageMap } from "./page_map.ts";
import { readBase } from "./read_base.ts";

const scratch: { page?: NativeBuffer; zeros?: NativeBuffer } = {};
const pageBuffer = () => scratch.page ??= allocate(PAGE_SIZE_BYTES);
const zeroPage = () => scratch.zeros ??= allocate(PAGE_SIZE_BYTES);

/** Base below, pages of the diff on top. */
export class PagedForm implements DataForm {
  readonly kind = "paged";
  readonly dataId: DataId;
  readonly #context: ContentContext;
  readonly #base: BaseFile;
  readonly #map = new PageMap();
  #sizeBytes: number;
  #baseLimitBytes: number;
  /** From here on, the data file was never written: it reads as zeros. */
  #writtenEndBytes = 0;
  /** Bytes that nobody committed may lie behind the end, in the last page. */
  #tailIsUnknown = false;
  /** Of the data file. -1: it has not been asked since it was changed. */
  #dataBlocks512 = -1;
  #recordChanged = false;
  #cutPages = false;
  hasUnsyncedBytes = false;

  private constructor(
    context: ContentContext,
    base: BaseFile,
    of: Pick<ContentRecord, "dataId" | "sizeBytes" | "baseLimitBytes">,
  ) {
    this.#context = context;
    this.#base = base;
    this.dataId = of.dataId;
    this.#sizeBytes = of.sizeBytes;
    this.#baseLimitBytes = of.baseLimitBytes;
  }

  /** A file that is as the base has it; its data file is there, and empty. */
  static create(context: ContentContext, base: BaseFile, dataId: DataId): PagedForm {
    const { sizeBytes } = base;
    const form = new PagedForm(context, base, { dataId, sizeBytes, baseLimitBytes: sizeBytes });
    form.#recordChanged = true;
    return form;
  }

  /** A file of the store. Who wrote it may have died before it was synced. */
  static restored(context: ContentContext, base: BaseFile, record: ContentRecord): PagedForm {
    const form = new PagedForm(context, base, record);
    // Not known, and asking for each file would make mounting slow: take it that all was written.
    form.#writtenEndBytes = Infinity;
    form.#tailIsUnknown = true;
    form.hasUnsyncedBytes = true;
    return form;
  }

  setPages({ part, bits }: PageMapRecord): void {
    this.#map.setPart(part, bits);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get blocks512(): number {
    if (this.#dataBlocks512 < 0) this.#dataBlocks512 = dataBlocks512(this.#context, this.dataId);
    const basePages = Math.ceil(this.#baseLimitBytes / PAGE_SIZE_BYTES);
    const shown = basePages - this.#map.count(basePages);
    return this.#dataBlocks512 + shown * (PAGE_SIZE_BYTES / SECTOR_SIZE_BYTES);
  }

  get hasUncommittedChanges(): boolean {
    return this.#recordChanged || this.#map.hasChanged;
  }

  plan({ offsetBytes, sizeBytes }: ByteRange): Piece[] {
    const pieces: Piece[] = [];
    const isHeld = this.#context.keepsLengths;
    let plan: "new" | "more" = "new";
    const end = offsetBytes + sizeBytes;
    for (let at = offsetBytes; at < end;) {
      const { held, endBytes } = this.#run(at, end);
      if (held) {
        const range = { offsetBytes: at, sizeBytes: endBytes - at };
        pieces.push({ in: "file", fd: this.#fd(), range, isHeld });
      } else {
        // The base shows through up to the limit; from there on there are zeros.
        const limit = Math.max(at, Math.min(endBytes, this.#baseLimitBytes));
        if (limit > at) {
          pieces.push(...this.#base.plan({ offsetBytes: at, sizeBytes: limit - at }, plan));
          plan = "more";
        }
        if (endBytes > limit) pieces.push({ in: "zeros", sizeBytes: endBytes - limit });
      }
      at = endBytes;
    }
    return pieces;
  }

  extent(at: number, end: number): Extent {
    const run = this.#run(at, end);
    if (run.held) return dataExtent(this.#context.libc, this.#fd(), at, run.endBytes);
    if (at >= this.#baseLimitBytes) return { isHole: true, endBytes: run.endBytes };
    const { isHole, endBytes } = this.#base.extent(at);
    return { isHole, endBytes: Math.min(endBytes, this.#baseLimitBytes, run.endBytes) };
  }

  write(source: Address, range: ByteRange): void {
    const end = range.offsetBytes + range.sizeBytes;
    this.#dataBlocks512 = -1;
    this.#prepareGrowth(end);
    this.#fillEdges(range);
    this.hasUnsyncedBytes = true;
    this.#writtenEndBytes = Math.max(this.#writtenEndBytes, end);
    try {
      this.#context.libc.pwrite(this.#fd(), source, range);
    } catch (error) {
      // A part of it may have been written, beyond the end perhaps.
      if (end > this.#sizeBytes) this.#zeroTail(this.#sizeBytes);
      throw error;
    }
    this.#hold(range);
    this.#growTo(end);
  }

  truncate(sizeBytes: number): void {
    this.#dataBlocks512 = -1;
    this.#prepareGrowth(sizeBytes);
    if (sizeBytes < this.#sizeBytes) this.#cut(sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#recordChanged = true;
  }

  allocate(mode: number, range: ByteRange): void {
    const keepSize = (mode & FALLOCATE.keepSize) !== 0;
    const end = range.offsetBytes + range.sizeBytes;
    this.#dataBlocks512 = -1;
    if (!keepSize) this.#prepareGrowth(end);
    if ((mode & ~FALLOCATE.keepSize) !== 0) {
      this.#zero(range.offsetBytes, Math.min(end, this.#sizeBytes));
    } else {
      this.#context.libc.fallocate(this.#fd(), FALLOCATE.keepSize, range);
    }
    if (!keepSize) this.#growTo(end);
  }

  takeRecords(ino: Ino): ContentRecords {
    this.#recordChanged = false;
    const map = this.#map;
    const { kind: form, dataId } = this;
    const sizes = { sizeBytes: this.#sizeBytes, baseLimitBytes: this.#baseLimitBytes };
    return {
      content: { ino, form, dataId, ...sizes },
      pages: map.takeChanged().map((part) => ({ ino, part, bits: map.part(part) })),
    };
  }

  committed(pages: readonly PageMapRecord[]): void {
    for (const { part, bits } of pages) this.#map.committed(part, bits);
  }

  commitFailed(pages: readonly PageMapRecord[]): void {
    this.#recordChanged = true;
    this.#map.markChanged(pages.map(({ part }) => part));
  }

  /** A page that the store does not know of is dropped, and what is below shows again. */
  heal(): void {
    this.hasUnsyncedBytes = true;
    this.#map.revert();
    this.#writtenEndBytes = Infinity;
    this.#tailIsUnknown = true;
    this.#recordChanged = true;
  }

  /**
   * Gives the space of pages that were cut back to the file system. Only when all is committed:
   * before, a crash would bring the cut pages back, and their bytes have to be there.
   */
  reclaim(): void {
    if (!this.#cutPages || this.hasUncommittedChanges) return;
    const end = (this.#map.last() + 1) * PAGE_SIZE_BYTES;
    try {
      if (end < this.#writtenEndBytes) this.#context.libc.ftruncate(this.#fd(), end);
    } catch {
      return; // Nobody waits for it, and nothing depends on it; the next commit tries again.
    }
    this.#writtenEndBytes = Math.min(this.#writtenEndBytes, end);
    this.#dataBlocks512 = -1;
    this.#cutPages = false;
  }

  #fd(): Fd {
    return this.#context.data.fd(this.dataId);
  }

  /** Up to where pages from a place on are all held, or all not; `end` at most. */
  #run(at: number, end: number): { readonly held: boolean; readonly endBytes: number } {
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const run = this.#map.run(page, Math.ceil(end / PAGE_SIZE_BYTES) - page);
    return { held: run.held, endBytes: Math.min(end, (run.first + run.count) * PAGE_SIZE_BYTES) };
  }

  /**
   * What lies behind the end must be zeros before the end moves. The data file must have them: if
   * it ended here, what is written around its end later would tear when a crash loses its length.
   */
  #prepareGrowth(endBytes: number): void {
    if (endBytes <= this.#sizeBytes) return;
    const pageEnd = Math.ceil(this.#sizeBytes / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES;
    if (!this.#tailIsUnknown && this.#writtenEndBytes >= pageEnd) return;
    if (this.#zeroTail(this.#sizeBytes)) this.hasUnsyncedBytes = true;
    this.#tailIsUnknown = false;
  }

  #growTo(endBytes: number): void {
    if (endBytes <= this.#sizeBytes) return;
    this.#sizeBytes = endBytes;
    this.#recordChanged = true;
  }

  /** A page written in part gets its other bytes first, unless the diff has the page. */
  #fillEdges({ offsetBytes, sizeBytes }: ByteRange): void {
    const end = offsetBytes + sizeBytes;
    const first = Math.floor(offsetBytes / PAGE_SIZE_BYTES);
    const last = Math.floor((end - 1) / PAGE_SIZE_BYTES);
    const headIsPart = offsetBytes % PAGE_SIZE_BYTES !== 0;
    if (headIsPart) this.#fill(first);
    if (end % PAGE_SIZE_BYTES !== 0 && !(headIsPart && last === first)) this.#fill(last);
  }

  /** Brings a page into the data file as it is now, but does not mark it as held. */
  #fill(page: number): void {
    const at = page * PAGE_SIZE_BYTES;
    if (this.#map.has(page)) return;
    // Behind the end there is nothing yet. Within the file, a data file that ends in the middle of
    // the page would tear what is written there later, if its new length were lost in a crash.
    const isHole = at >= Math.max(this.#baseLimitBytes, this.#writtenEndBytes, this.#sizeBytes);
    if (isHole) return;
    const range = { offsetBytes: at, sizeBytes: PAGE_SIZE_BYTES };
    const buffer = pageBuffer();
    const shownBytes = Math.max(0, Math.min(PAGE_SIZE_BYTES, this.#baseLimitBytes - at));
    readBase(this.#context, this.#base, { offsetBytes: at, sizeBytes: shownBytes }, buffer);
    buffer.bytes.fill(0, shownBytes);
    this.#writtenEndBytes = Math.max(this.#writtenEndBytes, at + PAGE_SIZE_BYTES);
    this.#context.libc.pwrite(this.#fd(), buffer.address, range);
  }

  #hold({ offsetBytes, sizeBytes }: ByteRange): void {
    const first = Math.floor(offsetBytes / PAGE_SIZE_BYTES);
    const last = Math.floor((offsetBytes + sizeBytes - 1) / PAGE_SIZE_BYTES);
    this.#map.add(first, last - first + 1);
  }

  /** Lowers the size. The diff's bytes stay until that is committed. */
  #cut(sizeBytes: number): void {
    if (this.#zeroTail(sizeBytes)) this.hasUnsyncedBytes = true;
    this.#tailIsUnknown = false;
    this.#baseLimitBytes = Math.min(this.#baseLimitBytes, sizeBytes);
    if (this.#map.dropFrom(Math.ceil(sizeBytes / PAGE_SIZE_BYTES))) this.#cutPages = true;
  }

  /** Makes a held page's bytes from `sizeBytes` on zero. @returns Whether there were any. */
  #zeroTail(sizeBytes: number): boolean {
    const page = Math.floor(sizeBytes / PAGE_SIZE_BYTES);
    const tail = (page + 1) * PAGE_SIZE_BYTES - sizeBytes;
    if (tail === PAGE_SIZE_BYTES || !this.#map.has(page)) return false;
    const range = { offsetBytes: sizeBytes, sizeBytes: tail };
    this.#context.libc.pwrite(this.#fd(), zeroPage().address, range);
    this.#writtenEndBytes = Math.max(this.#writtenEndBytes, sizeBytes + tail);
    return true;
  }

  /**
   * Makes bytes zero. Whole pages become holes of the data file. What is neither held nor the
   * base's is zeros already, however much of it there is; space may be reserved there.
   */
  #zero(from: number, to: number): void {
    const shownEnd = Math.ceil(this.#baseLimitBytes / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES;
    for (let at = from; at < to;) {
      if (at < shownEnd) {
        at = this.#zeroNext(at, Math.min(to, shownEnd));
        continue;
      }
      const run = this.#run(at, to);
      if (run.held) at = this.#zeroNext(at, run.endBytes);
      else {
        this.#punch({ offsetBytes: at, sizeBytes: run.endBytes - at });
        at = run.endBytes;
      }
    }
  }

  #punch(range: ByteRange): void {
    this.#context.libc.fallocate(this.#fd(), FALLOCATE.punchHole | FALLOCATE.keepSize, range);
  }

  /** @returns Up to where bytes have become zero. */
  #zeroNext(at: number, to: number): number {
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const pageEnd = (page + 1) * PAGE_SIZE_BYTES;
    const isWhole = at === page * PAGE_SIZE_BYTES && pageEnd <= to;
    const end = isWhole
      ? Math.floor(to / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES
      : Math.min(pageEnd, to);
    const range = { offsetBytes: at, sizeBytes: end - at };
    if (isWhole) {
      this.#punch(range);
      // A hole is where the file is: what is held must lie within it.
      const { libc } = this.#context;
      if (libc.fstat(this.#fd()).sizeBytes < end) libc.ftruncate(this.#fd(), end);
      this.#writtenEndBytes = Math.max(this.#writtenEndBytes, end);
    } else {
      this.#fill(page);
      this.#writtenEndBytes = Math.max(this.#writtenEndBytes, end);
      this.#context.libc.pwrite(this.#fd(), zeroPage().address, range);
    }
    this.hasUnsyncedBytes = true;
    this.#hold(range);
    return end;
  }
}
