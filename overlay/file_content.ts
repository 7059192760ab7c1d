/**
 * The bytes of one file, composed of base and diff.
 *
 * A file begins as the base has it. The first change gives it a data file in the diff: a small file
 * is copied up whole; a data file of PostgreSQL, or a large one, becomes *paged*: only the pages
 * written go to the diff, at their own offset in a sparse file, and a page map says which they are.
 *
 * What holds at all times for a paged file: bytes that the page map does not cover come from the
 * base below `baseLimitBytes` and are zeros above it; the limit never exceeds the file's size and
 * never rises, so what was cut off never comes back; bytes of a held page beyond the size are
 * zeros.
 *
 * @module
 */

import type { Piece } from "../backup/mod.ts";
import { ERRNO, PbkfsError } from "../errors.ts";
import { type ByteRange, FALLOCATE, type Libc } from "../ffi/libc.ts";
import { type Address, allocate, type NativeBuffer } from "../ffi/memory.ts";
import type { Found, Ino } from "../fuse/mod.ts";
import type { DataFiles } from "./data_files.ts";
import type { ContentRecord, DataId, PageMapRecord } from "./metadata_store.ts";
import { PageMap } from "./page_map.ts";
import type { ReadEngine } from "./read_engine.ts";

/** The unit of the page map: PostgreSQL's block. */
export const PAGE_SIZE_BYTES = 8192;

/**
 * No file is longer: 16 TiB, which is what ext4 can hold, and far below what a number holds
 * exactly. A page less than that, since a page is filled to its end.
 */
export const FILE_SIZE_BYTES_MAX = 2 ** 44 - PAGE_SIZE_BYTES;

/** What a file's space is counted in. */
const SECTOR_SIZE_BYTES = 512;

/** Up to this size, a file that is not a data file is copied up whole. */
export const COPY_UP_SIZE_BYTES_MAX = 1 << 20;

/** What base offers for one file. */
export interface BaseFile {
  readonly isDataFile: boolean;
  readonly sizeBytes: number;
  /**
   * Where the bytes of `range`, which lies within the file, lie. Its descriptors are valid until the next call for a new plan.
   *
   * @param plan Whether it adds to the plan of the call before.
   */
  plan(range: ByteRange, plan: "new" | "more"): Piece[];
  /** What lies at a place within the file. May read a page index. */
  extent(offsetBytes: number): Extent;
}

/** What contents share. */
export interface ContentContext {
  readonly libc: Libc;
  readonly data: DataFiles;
  readonly reads: Pick<ReadEngine, "read">;
  readonly newDataId: () => DataId;
  /**
   * Whether the data file of a paged file reaches over all pages that it holds. Earlier stores have
   * files of which it does not; what is missing of them reads as zeros.
   */
  readonly keepsLengths: boolean;
}

const EMPTY: BaseFile = {
  isDataFile: false,
  sizeBytes: 0,
  plan: () => [],
  extent: () => ({ isHole: true, endBytes: 0 }),
};

const scratch: { page?: NativeBuffer; copy?: NativeBuffer; zeros?: NativeBuffer } = {};
const pageBuffer = () => scratch.page ??= allocate(PAGE_SIZE_BYTES);
const copyBuffer = () => scratch.copy ??= allocate(COPY_UP_SIZE_BYTES_MAX);
const zeroPage = () => scratch.zeros ??= allocate(PAGE_SIZE_BYTES);

/** The content of a regular file. */
export class FileContent {
  readonly #context: ContentContext;
  readonly #base: BaseFile;
  #form: "base" | "whole" | "paged" = "base";
  #dataId = 0 as DataId;
  /** -1: neither the base nor the data file has been asked yet. */
  #sizeBytes = -1;
  #baseLimitBytes = 0;
  /** From here on, a paged file's data file was never written: it reads as zeros. */
  #writtenEndBytes = 0;
  /** Bytes that nobody committed may lie behind the end of a paged file, in its last page. */
  #tailIsUnknown = false;
  #map: PageMap | undefined;
  /** -1: the data file has not been asked since it was changed. */
  #dataBlocks512 = -1;
  #recordChanged = false;
  /** It was copied up, and the store has not been told yet. */
  #isNewCopy = false;
  #cutPages = false;
  /** Length of a whole file as the store was told; -1: it was not. */
  #toldBytes = -1;

  /** Bytes were written that have not been synced. */
  hasUnsyncedBytes = false;
  /** The last job that synced or committed this content. */
  lastJob = 0;

  /** @param base What the file is in the base; undefined for a new file. */
  constructor(context: ContentContext, base: BaseFile | undefined) {
    this.#context = context;
    this.#base = base ?? EMPTY;
  }

  /** The content of a file that is made now. */
  static create(context: ContentContext): FileContent {
    const content = new FileContent(context, undefined);
    content.#becomeWhole();
    return content;
  }

  /** Takes over what the store says. Its page map comes by {@link FileContent.setPages}. */
  restore(record: ContentRecord): void {
    this.#form = record.form;
    this.#dataId = record.dataId;
    this.#sizeBytes = record.form === "whole" ? record.foundBytes ?? -1 : record.sizeBytes;
    this.#toldBytes = record.lengthBytes ?? -1;
    // Not known, and asking for each file would make mounting slow: take it that all was written.
    this.#writtenEndBytes = Infinity;
    this.#baseLimitBytes = record.baseLimitBytes;
    // Who wrote them may have died before they were synced.
    this.hasUnsyncedBytes = true;
    this.#tailIsUnknown = true;
    if (record.form === "paged") this.#map = new PageMap();
  }

  setPages(record: PageMapRecord): void {
    this.#map?.setPart(record.part, record.bits);
  }

  get sizeBytes(): number {
    if (this.#sizeBytes < 0) {
      this.#sizeBytes = this.#form === "base"
        ? this.#base.sizeBytes
        : this.#context.libc.fstat(this.#fd()).sizeBytes;
    }
    return this.#sizeBytes;
  }

  /**
   * Space taken, in units of 512 bytes; what the base has counts as it would after a restore. Holes
   * of the base count as well: to know them means to read the page index of each file that
   * somebody lists, and who is told too much looks for holes, while who is told too little may
   * take bytes for a hole.
   */
  get blocks512(): number {
    if (this.#form === "base") return Math.ceil(this.sizeBytes / SECTOR_SIZE_BYTES);
    if (this.#dataBlocks512 < 0) this.#dataBlocks512 = this.#countDataBlocks();
    if (this.#map === undefined) return this.#dataBlocks512;
    const basePages = Math.ceil(this.#baseLimitBytes / PAGE_SIZE_BYTES);
    const shown = basePages - this.#map.count(basePages);
    return this.#dataBlocks512 + shown * (PAGE_SIZE_BYTES / SECTOR_SIZE_BYTES);
  }

  /** The data file in the diff; undefined while the file is as the base has it. */
  get dataId(): DataId | undefined {
    return this.#form === "base" ? undefined : this.#dataId;
  }

  /** Whether the store has to be told before what is on disk makes sense. */
  get hasUncommittedChanges(): boolean {
    return this.#recordChanged || (this.#map?.hasChanged ?? false);
  }

  /**
   * Where the bytes of a read lie, clipped at the end of the file. Descriptors are valid until the
   * next call of anything that opens files.
   */
  plan(range: ByteRange): Piece[] {
    const end = Math.min(range.offsetBytes + range.sizeBytes, this.sizeBytes);
    const sizeBytes = Math.max(0, end - range.offsetBytes);
    const pieces: Piece[] = [];
    let plan: "new" | "more" = "new";
    for (const part of this.#parts({ offsetBytes: range.offsetBytes, sizeBytes })) {
      if (part.from === "base") {
        pieces.push(...this.#base.plan(part.range, plan));
        plan = "more";
      } else if (part.from === "zeros") {
        pieces.push({ in: "zeros", sizeBytes: part.range.sizeBytes });
      } else pieces.push(this.#dataPiece(part.range));
    }
    return pieces;
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
    const end = range.offsetBytes + range.sizeBytes;
    mustFit(end);
    this.#change();
    this.#dataBlocks512 = -1;
    if (this.#map === undefined) this.#writeData(source, range);
    else this.#writePages(this.#map, source, range);
    this.#bytesWritten();
    this.#growTo(end);
  }

  /** Makes the data file that the first change needs, so that a write finds it. */
  prepare(): void {
    this.#change();
  }

  /** Whether writing over its bytes takes no space. */
  get isAllocated(): boolean {
    if (this.#form !== "whole") return false;
    const { sizeBytes, blocks512 } = this.#context.libc.fstat(this.#fd());
    return blocks512 * 512 >= sizeBytes;
  }

  /** Lowers or raises the size; what is added reads as zeros. */
  truncate(sizeBytes: number): void {
    if (this.#form === "base" && sizeBytes === this.sizeBytes) return;
    mustFit(sizeBytes);
    this.#change(sizeBytes);
    this.#dataBlocks512 = -1;
    if (this.#map === undefined) {
      this.#context.libc.ftruncate(this.#fd(), sizeBytes);
      this.#sizeBytes = sizeBytes;
      this.#bytesWritten();
      return;
    }
    this.#prepareGrowth(this.#map, sizeBytes);
    if (sizeBytes < this.sizeBytes) this.#cut(this.#map, sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#recordChanged = true;
  }

  /** fallocate(2): reserves space, or makes a range zero. Other modes are refused. */
  allocate(mode: number, range: ByteRange): void {
    const keepSize = (mode & FALLOCATE.keepSize) !== 0;
    const kind = mode & ~FALLOCATE.keepSize;
    const zeroes = kind === FALLOCATE.zeroRange || (kind === FALLOCATE.punchHole && keepSize);
    if (kind !== 0 && !zeroes) throw unsupported(mode);
    const end = range.offsetBytes + range.sizeBytes;
    mustFit(end);
    this.#change();
    this.#dataBlocks512 = -1;
    if (this.#map !== undefined && !keepSize) this.#prepareGrowth(this.#map, end);
    if (this.#map === undefined) {
      this.#context.libc.fallocate(this.#fd(), mode, range);
      this.#bytesWritten();
    } else if (zeroes) {
      this.#zero(this.#map, range.offsetBytes, Math.min(end, this.sizeBytes));
    } else {
      this.#context.libc.fallocate(this.#fd(), FALLOCATE.keepSize, range);
    }
    if (!keepSize) this.#growTo(end);
  }

  /** Whether the store does not know the length of a whole file. Then the next records tell. */
  mustTellLength(): boolean {
    if (this.#form !== "whole" || this.#toldBytes === this.sizeBytes) return false;
    this.#recordChanged = true;
    return true;
  }

  /** What to commit, as of now. Told again if {@link FileContent.commitFailed}. */
  takeRecords(ino: Ino): { content: ContentRecord; pages: PageMapRecord[] } | undefined {
    if (this.#form === "base") return undefined;
    this.#recordChanged = false;
    const map = this.#map;
    if (map === undefined) this.#toldBytes = this.#sizeBytes;
    return {
      content: {
        ino,
        form: this.#form,
        dataId: this.#dataId,
        sizeBytes: map === undefined ? 0 : this.#sizeBytes,
        baseLimitBytes: this.#baseLimitBytes,
        ...(this.#toldBytes >= 0 && { lengthBytes: this.#toldBytes }),
      },
      pages: map?.takeChanged().map((part) => ({ ino, part, bits: map.part(part) })) ?? [],
    };
  }

  /** What {@link FileContent.takeRecords} told is in the store. */
  committed(pages: readonly PageMapRecord[]): void {
    this.#isNewCopy = false;
    for (const { part, bits } of pages) this.#map?.committed(part, bits);
  }

  /**
   * Its bytes could not be synced. Which of them are on disk nobody knows, and the system has
   * forgotten that it does not know. So it becomes what it would be after a crash: a page that the
   * store does not know of is dropped, and what is below shows again; others are old or new.
   *
   * @returns A data file that is not needed any more.
   */
  heal(): DataId | undefined {
    this.hasUnsyncedBytes = true;
    if (this.#map !== undefined) {
      this.#map.revert();
      this.#writtenEndBytes = Infinity;
      this.#tailIsUnknown = true;
      this.#recordChanged = true;
      return undefined;
    }
    this.#sizeBytes = -1;
    return this.#isNewCopy ? this.#copyAgain() : undefined;
  }

  commitFailed(pages: readonly PageMapRecord[]): void {
    this.#recordChanged = true;
    this.#toldBytes = -1;
    this.#map?.markChanged(pages.map(({ part }) => part));
  }

  /**
   * Gives the space of pages that were cut back to the file system. Only when all is committed:
   * before, a crash would bring the cut pages back, and their bytes have to be there.
   */
  reclaim(): void {
    if (!this.#cutPages || this.#map === undefined || this.hasUncommittedChanges) return;
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

  /** A data file that is missing takes none; reading it tells. */
  #countDataBlocks(): number {
    try {
      return this.#context.libc.fstat(this.#fd()).blocks512;
    } catch (error) {
      if (error instanceof PbkfsError && error.code === "DiffDamaged") return 0;
      throw error;
    }
  }

  #fd() {
    return this.#context.data.fd(this.#dataId);
  }

  #bytesWritten(): void {
    this.hasUnsyncedBytes = true;
  }

  /** Writes to a whole file. */
  #writeData(source: Address, range: ByteRange): void {
    this.hasUnsyncedBytes = true;
    try {
      this.#context.libc.pwrite(this.#fd(), source, range);
    } catch (error) {
      this.#sizeBytes = -1; // A part of it may have been written.
      throw error;
    }
  }

  /** Writes to a paged file. */
  #writePages(map: PageMap, source: Address, range: ByteRange): void {
    const end = range.offsetBytes + range.sizeBytes;
    this.#prepareGrowth(map, end);
    this.#fillEdges(range);
    this.hasUnsyncedBytes = true;
    this.#writtenEndBytes = Math.max(this.#writtenEndBytes, end);
    try {
      this.#context.libc.pwrite(this.#fd(), source, range);
    } catch (error) {
      // A part of it may have been written, beyond the end perhaps.
      if (end > this.sizeBytes) this.#zeroTail(map, this.sizeBytes);
      throw error;
    }
    this.#hold(range);
  }

  /**
   * What lies behind the end must be zeros before the end moves. The data file must have them: if
   * it ended here, what is written around its end later would tear when a crash loses its length.
   */
  #prepareGrowth(map: PageMap, endBytes: number): void {
    if (endBytes <= this.sizeBytes) return;
    const pageEnd = Math.ceil(this.sizeBytes / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES;
    if (!this.#tailIsUnknown && this.#writtenEndBytes >= pageEnd) return;
    if (this.#zeroTail(map, this.sizeBytes)) this.hasUnsyncedBytes = true;
    this.#tailIsUnknown = false;
  }

  #growTo(endBytes: number): void {
    if (endBytes <= this.sizeBytes) return;
    this.#sizeBytes = endBytes;
    if (this.#map !== undefined) this.#recordChanged = true;
  }

  /** Splits a range that lies within the file by where its bytes come from. */
  #parts(range: ByteRange): Part[] {
    if (range.sizeBytes === 0) return [];
    if (this.#form === "base") return [{ from: "base", range }];
    if (this.#map === undefined) return [{ from: "data", range }];
    const parts: Part[] = [];
    const end = range.offsetBytes + range.sizeBytes;
    for (let at = range.offsetBytes; at < end;) {
      const page = Math.floor(at / PAGE_SIZE_BYTES);
      const run = this.#map.run(page, Math.ceil(end / PAGE_SIZE_BYTES) - page);
      const runEnd = Math.min(end, (run.first + run.count) * PAGE_SIZE_BYTES);
      if (run.held) parts.push(partOf("data", at, runEnd));
      else parts.push(...this.#baseParts(at, runEnd));
      at = runEnd;
    }
    return parts;
  }

  /** Where a run of holes, or of data, ends that begins at `from`; there if it is not of that kind. */
  #endOfRun(from: number, end: number, ofHoles: boolean): number {
    let at = from;
    while (at < end) {
      const extent = this.#extent(at, end);
      if (extent.isHole !== ofHoles) break;
      at = extent.endBytes;
    }
    return Math.min(at, end);
  }

  /** What lies at a place before `end`, and up to where. */
  #extent(at: number, end: number): Extent {
    if (this.#form === "base") return this.#base.extent(at);
    if (this.#map === undefined) return this.#dataExtent(at, end);
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const run = this.#map.run(page, Math.ceil(end / PAGE_SIZE_BYTES) - page);
    const runEnd = Math.min(end, (run.first + run.count) * PAGE_SIZE_BYTES);
    if (run.held) return this.#dataExtent(at, runEnd);
    if (at >= this.#baseLimitBytes) return { isHole: true, endBytes: runEnd };
    const { isHole, endBytes } = this.#base.extent(at);
    return { isHole, endBytes: Math.min(endBytes, this.#baseLimitBytes, runEnd) };
  }

  /** As the file system of the diff tells it. What lies behind the data file's end is a hole. */
  #dataExtent(at: number, end: number): Extent {
    const { libc } = this.#context;
    const data = libc.seek(this.#fd(), at, "data") ?? end;
    if (data > at) return { isHole: true, endBytes: Math.min(data, end) };
    return { isHole: false, endBytes: Math.min(libc.seek(this.#fd(), at, "hole") ?? end, end) };
  }

  /** The base shows through up to the limit; from there on there are zeros. */
  #baseParts(from: number, to: number): Part[] {
    const limit = Math.max(from, Math.min(to, this.#baseLimitBytes));
    return [partOf("base", from, limit), partOf("zeros", limit, to)]
      .filter(({ range }) => range.sizeBytes > 0);
  }

  /** Bytes of the data file: all of them are there, or it is damaged. */
  #dataPiece(range: ByteRange): Piece {
    return { in: "file", fd: this.#fd(), range, ...(this.#isStrict && { isHeld: true }) };
  }

  get #isStrict(): boolean {
    return this.#map === undefined || this.#context.keepsLengths;
  }

  /** Reads what the base has in `range`, which lies within it, to the start of `target`. */
  #readBase(range: ByteRange, target: NativeBuffer): void {
    if (range.sizeBytes === 0) return;
    const done = this.#context.reads.read(this.#base.plan(range, "new"), target);
    if (done === range.sizeBytes) return;
    throw new PbkfsError("Bug", {
      what: `A read of ${range.sizeBytes} bytes at ${range.offsetBytes} gave ${done}`,
    });
  }

  /** Prepares the first change. @param sizeBytes What the file will be cut to, if it is. */
  #change(sizeBytes = Infinity): void {
    if (this.#form !== "base") return;
    const size = this.sizeBytes;
    if (!this.#base.isDataFile && size <= COPY_UP_SIZE_BYTES_MAX) {
      this.#copyUp(Math.min(size, sizeBytes));
      return;
    }
    this.#useNewDataFile("paged");
    this.#map = new PageMap();
    this.#baseLimitBytes = size;
  }

  #copyUp(sizeBytes: number): void {
    const range = { offsetBytes: 0, sizeBytes };
    const buffer = copyBuffer();
    this.#readBase(range, buffer);
    const id = this.#context.newDataId();
    const fd = this.#context.data.create(id);
    try {
      this.#context.libc.pwrite(fd, buffer.address, range);
    } catch (error) {
      this.#context.data.discard(id); // It would take space, and there may be none.
      throw error;
    }
    this.#dataId = id;
    this.#form = "whole";
    this.#sizeBytes = sizeBytes;
    this.#recordChanged = this.#isNewCopy = true;
    this.#bytesWritten();
  }

  /** The copy may have lost what nobody wrote: it is made again, as long as the file is now. */
  #copyAgain(): DataId {
    const lost = this.#dataId;
    const sizeBytes = this.sizeBytes;
    this.#form = "base";
    this.#sizeBytes = -1;
    this.#recordChanged = this.#isNewCopy = false;
    try {
      this.#copyUp(Math.min(sizeBytes, this.#base.sizeBytes));
      if (sizeBytes > this.#base.sizeBytes) this.#context.libc.ftruncate(this.#fd(), sizeBytes);
      this.#sizeBytes = sizeBytes;
    } catch {
      // Then it is as the base has it.
    }
    return lost;
  }

  #becomeWhole(): void {
    this.#useNewDataFile("whole");
    this.#sizeBytes = 0;
    this.#dataBlocks512 = 0;
  }

  #useNewDataFile(form: "whole" | "paged"): void {
    const id = this.#context.newDataId();
    this.#context.data.create(id);
    this.#dataId = id;
    this.#form = form;
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
    if (this.#map?.has(page)) return;
    // Behind the end there is nothing yet. Within the file, a data file that ends in the middle of
    // the page would tear what is written there later, if its new length were lost in a crash.
    const isHole = at >= Math.max(this.#baseLimitBytes, this.#writtenEndBytes, this.sizeBytes);
    if (isHole) return;
    const range = { offsetBytes: at, sizeBytes: PAGE_SIZE_BYTES };
    const buffer = pageBuffer();
    const shownBytes = Math.max(0, Math.min(PAGE_SIZE_BYTES, this.#baseLimitBytes - at));
    this.#readBase({ offsetBytes: at, sizeBytes: shownBytes }, buffer);
    buffer.bytes.fill(0, shownBytes);
    this.#writtenEndBytes = Math.max(this.#writtenEndBytes, at + PAGE_SIZE_BYTES);
    this.#context.libc.pwrite(this.#fd(), buffer.address, range);
  }

  #hold({ offsetBytes, sizeBytes }: ByteRange): void {
    const first = Math.floor(offsetBytes / PAGE_SIZE_BYTES);
    const last = Math.floor((offsetBytes + sizeBytes - 1) / PAGE_SIZE_BYTES);
    this.#map?.add(first, last - first + 1);
  }

  /** Lowers a paged file's size. The diff's bytes stay until that is committed. */
  #cut(map: PageMap, sizeBytes: number): void {
    if (this.#zeroTail(map, sizeBytes)) this.#bytesWritten();
    this.#tailIsUnknown = false;
    this.#baseLimitBytes = Math.min(this.#baseLimitBytes, sizeBytes);
    if (map.dropFrom(Math.ceil(sizeBytes / PAGE_SIZE_BYTES))) this.#cutPages = true;
  }

  /** Makes a held page's bytes from `sizeBytes` on zero. @returns Whether there were any. */
  #zeroTail(map: PageMap, sizeBytes: number): boolean {
    const page = Math.floor(sizeBytes / PAGE_SIZE_BYTES);
    const tail = (page + 1) * PAGE_SIZE_BYTES - sizeBytes;
    if (tail === PAGE_SIZE_BYTES || !map.has(page)) return false;
    const range = { offsetBytes: sizeBytes, sizeBytes: tail };
    this.#context.libc.pwrite(this.#fd(), zeroPage().address, range);
    this.#writtenEndBytes = Math.max(this.#writtenEndBytes, sizeBytes + tail);
    return true;
  }

  /**
   * Makes bytes of a paged file zero. Whole pages become holes of the data file. What is neither
   * held nor the base's is zeros already, however much of it there is; space may be reserved there.
   */
  #zero(map: PageMap, from: number, to: number): void {
    const shownEnd = Math.ceil(this.#baseLimitBytes / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES;
    for (let at = from; at < to;) {
      if (at < shownEnd) {
        at = this.#zeroNext(at, Math.min(to, shownEnd));
        continue;
      }
      const page = Math.floor(at / PAGE_SIZE_BYTES);
      const run = map.run(page, Math.ceil(to / PAGE_SIZE_BYTES) - page);
      const runEnd = Math.min(to, (run.first + run.count) * PAGE_SIZE_BYTES);
      if (run.held) at = this.#zeroNext(at, runEnd);
      else {
        this.#punch({ offsetBytes: at, sizeBytes: runEnd - at });
        at = runEnd;
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
    this.#bytesWritten();
    this.#hold(range);
    return end;
  }
}

/** A part of a file that is data, or a hole, and where it ends. Data may be zeros as well. */
export interface Extent {
  readonly isHole: boolean;
  readonly endBytes: number;
}

/** @throws {PbkfsError} EFBIG if a file cannot be that long. */
function mustFit(sizeBytes: number): void {
  if (sizeBytes <= FILE_SIZE_BYTES_MAX) return;
  throw new PbkfsError("Io", {
    what: `A file cannot become ${sizeBytes} bytes long`,
    errno: ERRNO.EFBIG,
  });
}

/** A range of a file whose bytes come from one place. */
interface Part {
  readonly from: "base" | "data" | "zeros";
  readonly range: ByteRange;
}

function partOf(from: Part["from"], at: number, end: number): Part {
  return { from, range: { offsetBytes: at, sizeBytes: end - at } };
}

function unsupported(mode: number): PbkfsError {
  return new PbkfsError("Io", {
    what: `fallocate mode ${mode} is not supported`,
    errno: ERRNO.EOPNOTSUPP,
  });
}
