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
import { type Address, allocate, type NativeBuffer, offset } from "../ffi/memory.ts";
import type { Ino } from "../fuse/mod.ts";
import type { DataFiles } from "./data_files.ts";
import type { ContentRecord, DataId, PageMapRecord } from "./metadata_store.ts";
import { PageMap } from "./page_map.ts";

/** The unit of the page map: PostgreSQL's block. */
export const PAGE_SIZE_BYTES = 8192;

/** A paged file is no longer than this: 16 TiB, which is what ext4 can hold. */
const PAGED_SIZE_BYTES_MAX = 2 ** 44 - PAGE_SIZE_BYTES;

/** Up to this size, a file that is not a data file is copied up whole. */
export const COPY_UP_SIZE_BYTES_MAX = 1 << 20;

/** What base offers for one file. */
export interface BaseFile {
  readonly isDataFile: boolean;
  readonly sizeBytes: number;
  /** Reads all of `range`, which lies within the file, to `target` from `at` on. */
  read(range: ByteRange, target: NativeBuffer, at: number): void;
  /**
   * Where the bytes of `range` lie. Its descriptors are valid until the next call for a new plan.
   *
   * @param plan Whether it adds to the plan of the call before.
   */
  plan(range: ByteRange, plan: "new" | "more"): Piece[];
}

/** What contents share. */
export interface ContentContext {
  readonly libc: Libc;
  readonly data: DataFiles;
  readonly newDataId: () => DataId;
}

const EMPTY: BaseFile = { isDataFile: false, sizeBytes: 0, read: () => {}, plan: () => [] };

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
  #recordChanged = false;
  #cutPages = false;

  /** Bytes were written that have not been synced. */
  hasUnsyncedBytes = false;
  /** A sync has failed, and nothing was written since: 0, or the errno to go on failing with. */
  failedSyncErrno = 0;
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
    this.#sizeBytes = record.form === "whole" ? -1 : record.sizeBytes;
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

  /** The data file in the diff; undefined while the file is as the base has it. */
  get dataId(): DataId | undefined {
    return this.#form === "base" ? undefined : this.#dataId;
  }

  /** Whether the store has to be told before what is on disk makes sense. */
  get hasUncommittedChanges(): boolean {
    return this.#recordChanged || (this.#map?.hasChanged ?? false);
  }

  /** Reads to `target` from its start. @returns Bytes read, fewer at the end of the file only. */
  read(range: ByteRange, target: NativeBuffer): number {
    const end = Math.min(range.offsetBytes + range.sizeBytes, this.sizeBytes);
    const size = Math.max(0, end - range.offsetBytes);
    if (size > 0) this.#readAll({ offsetBytes: range.offsetBytes, sizeBytes: size }, target);
    return size;
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
      } else pieces.push({ in: "file", fd: this.#fd(), range: part.range });
    }
    return pieces;
  }

  /** Writes all of `range`; its bytes begin at `source`. */
  write(source: Address, range: ByteRange): void {
    if (range.sizeBytes === 0) return;
    this.#change();
    const end = range.offsetBytes + range.sizeBytes;
    if (this.#map === undefined) this.#writeData(source, range);
    else this.#writePages(this.#map, source, range);
    this.#bytesWritten();
    this.#growTo(end);
  }

  /** Lowers or raises the size; what is added reads as zeros. */
  truncate(sizeBytes: number): void {
    if (this.#form === "base" && sizeBytes === this.sizeBytes) return;
    this.#change(sizeBytes);
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
    this.#change();
    const end = range.offsetBytes + range.sizeBytes;
    if (this.#map !== undefined && !keepSize) this.#prepareGrowth(this.#map, end);
    if (this.#map === undefined) {
      this.#context.libc.fallocate(this.#fd(), mode, range);
      this.#bytesWritten();
    } else if (zeroes) {
      this.#zero(range.offsetBytes, Math.min(end, this.sizeBytes));
    } else {
      this.#context.libc.fallocate(this.#fd(), FALLOCATE.keepSize, range);
    }
    if (!keepSize) this.#growTo(end);
  }

  /** What to commit, as of now. Told again if {@link FileContent.commitFailed}. */
  takeRecords(ino: Ino): { content: ContentRecord; pages: PageMapRecord[] } | undefined {
    if (this.#form === "base") return undefined;
    this.#recordChanged = false;
    const map = this.#map;
    return {
      content: {
        ino,
        form: this.#form,
        dataId: this.#dataId,
        sizeBytes: map === undefined ? 0 : this.#sizeBytes,
        baseLimitBytes: this.#baseLimitBytes,
      },
      pages: map?.takeChanged().map((part) => ({ ino, part, bits: map.part(part) })) ?? [],
    };
  }

  commitFailed(pages: readonly PageMapRecord[]): void {
    this.#recordChanged = true;
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
    this.#cutPages = false;
  }

  #fd() {
    return this.#context.data.fd(this.#dataId);
  }

  #bytesWritten(): void {
    this.hasUnsyncedBytes = true;
    this.failedSyncErrno = 0;
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
    mustFit(endBytes);
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

  #readAll(range: ByteRange, target: NativeBuffer): void {
    for (const part of this.#parts(range)) {
      const place = part.range.offsetBytes - range.offsetBytes;
      if (part.from === "data") this.#readData(part.range, target, place);
      else if (part.from === "base") this.#base.read(part.range, target, place);
      else target.bytes.fill(0, place, place + part.range.sizeBytes);
    }
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

  /** The base shows through up to the limit; from there on there are zeros. */
  #baseParts(from: number, to: number): Part[] {
    const limit = Math.max(from, Math.min(to, this.#baseLimitBytes));
    return [partOf("base", from, limit), partOf("zeros", limit, to)]
      .filter(({ range }) => range.sizeBytes > 0);
  }

  /** From the data file; it is sparse, and may be shorter than the file. */
  #readData(range: ByteRange, target: NativeBuffer, at: number): void {
    const done = this.#context.libc.pread(this.#fd(), offset(target.address, at), range);
    target.bytes.fill(0, at + done, at + range.sizeBytes);
  }

  /** From the base, up to the limit; zeros from there on. */
  #readBase(range: ByteRange, target: NativeBuffer, at: number): void {
    const { offsetBytes, sizeBytes } = range;
    const size = Math.min(sizeBytes, Math.max(0, this.#baseLimitBytes - offsetBytes));
    if (size > 0) this.#base.read({ offsetBytes, sizeBytes: size }, target, at);
    target.bytes.fill(0, at + size, at + sizeBytes);
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
    if (sizeBytes > 0) this.#base.read(range, buffer, 0);
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
    this.#recordChanged = true;
    this.#bytesWritten();
  }

  #becomeWhole(): void {
    this.#useNewDataFile("whole");
    this.#sizeBytes = 0;
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
    this.#readBase(range, buffer, 0);
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

  /** Makes bytes of a paged file zero. Whole pages become holes of the data file. */
  #zero(from: number, to: number): void {
    for (let at = from; at < to;) {
      const page = Math.floor(at / PAGE_SIZE_BYTES);
      const pageEnd = (page + 1) * PAGE_SIZE_BYTES;
      const isWhole = at === page * PAGE_SIZE_BYTES && pageEnd <= to;
      const end = isWhole
        ? Math.floor(to / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES
        : Math.min(pageEnd, to);
      const range = { offsetBytes: at, sizeBytes: end - at };
      if (isWhole) {
        this.#context.libc.fallocate(this.#fd(), FALLOCATE.punchHole | FALLOCATE.keepSize, range);
      } else {
        this.#fill(page);
        this.#writtenEndBytes = Math.max(this.#writtenEndBytes, end);
        this.#context.libc.pwrite(this.#fd(), zeroPage().address, range);
      }
      this.#bytesWritten();
      this.#hold(range);
      at = end;
    }
  }
}

/** @throws {PbkfsError} EFBIG if a paged file cannot be that long. */
function mustFit(sizeBytes: number): void {
  if (sizeBytes <= PAGED_SIZE_BYTES_MAX) return;
  throw new PbkfsError("Io", {
    what: `A file that the base has cannot become ${sizeBytes} bytes long`,
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
