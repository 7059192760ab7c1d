/**
 * The contents of a metadata store as columns of numbers: a diff may have very many files, of which
 * few are asked for. It can be handed from thread to thread without a copy.
 *
 * @module
 */

import { bytesOf, type ByteString, byteString } from "../../ffi/bytes.ts";
import type { Ino, Timestamp } from "../../fuse/mod.ts";
import {
  type ContentRecord,
  type DataId,
  type ExtendedAttributeRecord,
  type InodeRecord,
  type MetadataState,
  type NameRecord,
  type NextNumbers,
  type PackedState,
  PAGE_MAP_PART_SIZE_BYTES,
  type PageMapRecord,
  type StoreFacts,
} from "./metadata_store.ts";
import { GrowingBytes, GrowingRows, type Rows } from "./rows.ts";

export type { PackedState, StoreFacts };

/** Of an inode: ino, mode, uid, gid, links, rdev, and four times; NaN where it has no fourth. */
const INODE_WIDTH = 14;
/** Of a name: parent, inode or 0 for a whiteout, and where its bytes end. */
const NAME_WIDTH = 3;
/** Of a content: inode, whether it is paged, data file, size, base limit, and length; NaN: not told. */
const CONTENT_WIDTH = 6;
/** Of a part of a page map: inode, part. Its bits are as long as all others. */
const PAGES_WIDTH = 2;

/** How many records there will be, so that memory for them is taken once. */
export interface RowCounts {
  readonly inodes?: number;
  readonly names?: number;
  readonly contents?: number;
  readonly pages?: number;
}

/** Takes records, in the order of {@link PackedState}. */
export class StatePacker {
  readonly #inodes: GrowingRows;
  readonly #names: GrowingRows;
  readonly #nameBytes = new GrowingBytes();
  readonly #contents: GrowingRows;
  readonly #pages: GrowingRows;
  readonly #pageBits = new GrowingBytes();
  readonly #deleted = new GrowingRows(1);
  readonly #targets = new Map<Ino, ByteString>();
  readonly #attributes: ExtendedAttributeRecord[] = [];

  constructor(expected: RowCounts = {}) {
    this.#inodes = new GrowingRows(INODE_WIDTH, expected.inodes);
    this.#names = new GrowingRows(NAME_WIDTH, expected.names);
    this.#contents = new GrowingRows(CONTENT_WIDTH, expected.contents);
    this.#pages = new GrowingRows(PAGES_WIDTH, expected.pages);
  }

  addInode(record: InodeRecord): void {
    const { ino, mode, uid, gid, links, rdev, accessed, modified, changed, born } = record;
    const times = [accessed, modified, changed, born ?? { seconds: NaN, nanoseconds: NaN }]
      .flatMap(({ seconds, nanoseconds }) => [seconds, nanoseconds]);
    this.#inodes.add([ino, mode, uid, gid, links, rdev, ...times]);
    if (record.target !== undefined) this.#targets.set(ino, record.target);
  }

  addName({ parent, name, to }: NameRecord): void {
    const end = this.#nameBytes.add(bytesOf(name));
    this.#names.add([parent, typeof to === "number" ? to : 0, end]);
  }

  addContent(record: ContentRecord): void {
    const { ino, form, dataId, sizeBytes, baseLimitBytes, lengthBytes = NaN } = record;
    const isPaged = form === "paged" ? 1 : 0;
    this.#contents.add([ino, isPaged, dataId, sizeBytes, baseLimitBytes, lengthBytes]);
  }

  addPages({ ino, part, bits }: PageMapRecord): void {
    this.#pages.add([ino, part]);
    this.#pageBits.add(bits);
  }

  addAttribute(record: ExtendedAttributeRecord): void {
    this.#attributes.push(record);
  }

  addDeleted(id: DataId): void {
    this.#deleted.add([id]);
  }

  done(facts: StoreFacts): PackedState {
    return {
      inodes: this.#inodes.rows(),
      names: this.#names.rows(),
      nameBytes: this.#nameBytes.bytes(),
      contents: this.#contents.rows(),
      pages: this.#pages.rows(),
      pageBits: this.#pageBits.bytes(),
      targets: this.#targets,
      attributes: this.#attributes,
      facts,
      deleted: this.#deleted.rows(),
    };
  }
}

/** Records in any order. */
export function pack(state: MetadataState): PackedState {
  const packer = new StatePacker();
  for (const record of state.inodes.toSorted((a, b) => a.ino - b.ino)) packer.addInode(record);
  const names = state.names.toSorted((a, b) => a.parent - b.parent);
  for (const record of names) packer.addName(record);
  for (const record of state.contents.toSorted((a, b) => a.ino - b.ino)) packer.addContent(record);
  const pages = state.pages.toSorted((a, b) => a.ino - b.ino || a.part - b.part);
  for (const record of pages) packer.addPages(record);
  const attributes = state.extendedAttributes.toSorted((a, b) => a.ino - b.ino);
  for (const record of attributes) packer.addAttribute(record);
  for (const id of state.deleted) packer.addDeleted(id);
  const { nextNumbers, isClean, keepsLengths, generation } = state;
  return packer.done({ nextNumbers, isClean, keepsLengths, generation });
}

/** What can be handed over instead of being copied. */
export function buffersOfState(state: PackedState): ArrayBuffer[] {
  const { inodes, names, nameBytes, contents, pages, pageBits, deleted } = state;
  return [
    ...[inodes, names, contents, pages, deleted].map(({ cells }) => cells.buffer),
    nameBytes.buffer,
    pageBits.buffer,
  ];
}

/** Finds records in a {@link PackedState}. */
export class StoredState {
  readonly #packed: PackedState;
  readonly #attributes: ReadonlyMap<Ino, readonly ExtendedAttributeRecord[]>;
  /** Lengths of data files, for each row of the contents; NaN where there is none. */
  readonly #found: Float64Array | undefined;

  /** @param found Lengths of data files as a mount has found them, in the order of `contents`. */
  constructor(packed: PackedState, found?: Float64Array) {
    this.#packed = packed;
    this.#found = found;
    this.#attributes = Map.groupBy(packed.attributes, ({ ino }) => ino);
  }

  /** The same, with lengths of data files, in the order of `contents`; NaN where there is none. */
  withFound(lengths: Float64Array): StoredState {
    return new StoredState(this.#packed, lengths);
  }

  get facts(): StoreFacts {
    return this.#packed.facts;
  }

  get nextNumbers(): NextNumbers | undefined {
    return this.facts.nextNumbers;
  }

  /** Data files of inodes that have been removed: deleted, or to be deleted at the mount. */
  get deleted(): Iterable<DataId> {
    const { deleted } = this.#packed;
    return rowsOf(deleted, (row) => cell(deleted, row, 0) as DataId);
  }

  get contentCount(): number {
    return this.#packed.contents.count;
  }

  has(ino: Ino): boolean {
    return isAt(this.#packed.inodes, this.#rowOf(ino), ino);
  }

  inode(ino: Ino): InodeRecord | undefined {
    const row = this.#rowOf(ino);
    return isAt(this.#packed.inodes, row, ino) ? this.#inodeAt(row) : undefined;
  }

  /** The mode of an inode, without the rest of it. */
  mode(ino: Ino): number | undefined {
    const { inodes } = this.#packed;
    const row = this.#rowOf(ino);
    return isAt(inodes, row, ino) ? cell(inodes, row, 1) : undefined;
  }

  /** Numbers and modes of all inodes. */
  *modes(): Generator<readonly [Ino, number]> {
    const { inodes } = this.#packed;
    for (let row = 0; row < inodes.count; row++) {
      yield [cell(inodes, row, 0) as Ino, cell(inodes, row, 1)];
    }
  }

  get inodes(): Iterable<InodeRecord> {
    return rowsOf(this.#packed.inodes, (row) => this.#inodeAt(row));
  }

  get names(): Iterable<NameRecord> {
    return rowsOf(this.#packed.names, (row) => this.#nameAt(row));
  }

  get contents(): Iterable<ContentRecord> {
    return rowsOf(this.#packed.contents, (row) => this.#contentAt(row));
  }

  get pages(): Iterable<PageMapRecord> {
    return rowsOf(this.#packed.pages, (row) => this.#pagesAt(row));
  }

  get extendedAttributes(): readonly ExtendedAttributeRecord[] {
    return this.#packed.attributes;
  }

  namesIn(parent: Ino): Iterable<NameRecord> {
    return matching(this.#packed.names, parent, (row) => this.#nameAt(row));
  }

  content(ino: Ino): ContentRecord | undefined {
    const { contents } = this.#packed;
    const row = firstRow(contents, ino);
    return isAt(contents, row, ino) ? this.#contentAt(row) : undefined;
  }

  pagesOf(ino: Ino): Iterable<PageMapRecord> {
    return matching(this.#packed.pages, ino, (row) => this.#pagesAt(row));
  }

  attributesOf(ino: Ino): readonly ExtendedAttributeRecord[] {
    return this.#attributes.get(ino) ?? [];
  }

  #rowOf(ino: Ino): number {
    return firstRow(this.#packed.inodes, ino);
  }

  #inodeAt(row: number): InodeRecord {
    const { inodes, targets } = this.#packed;
    const at = (column: number) => cell(inodes, row, column);
    // Most files have one time, or two: they share an object.
    const times: Timestamp[] = [];
    const time = (column: number) => {
      const [seconds, nanoseconds] = [at(column), at(column + 1)];
      const same = times.find((t) => t.seconds === seconds && t.nanoseconds === nanoseconds);
      if (same === undefined) times.push({ seconds, nanoseconds });
      return same ?? times.at(-1) as Timestamp;
    };
    const ino = at(0) as Ino;
    const target = targets.get(ino);
    return {
      ...{ ino, mode: at(1), uid: at(2), gid: at(3), links: at(4), rdev: at(5) },
      accessed: time(6),
      modified: time(8),
      changed: time(10),
      ...(!Number.isNaN(at(12)) && { born: time(12) }),
      ...(target !== undefined && { target }),
    };
  }

  #nameAt(row: number): NameRecord {
    const { names, nameBytes } = this.#packed;
    const start = row === 0 ? 0 : cell(names, row - 1, 2);
    const name = byteString(nameBytes.subarray(start, cell(names, row, 2)));
    const to = cell(names, row, 1);
    return { parent: cell(names, row, 0) as Ino, name, to: to === 0 ? "whiteout" : to as Ino };
  }

  #contentAt(row: number): ContentRecord {
    const { contents } = this.#packed;
    const at = (column: number) => cell(contents, row, column);
    const foundBytes = this.#found?.[row];
    return {
      ino: at(0) as Ino,
      form: at(1) === 1 ? "paged" : "whole",
      ...{ dataId: at(2) as DataId, sizeBytes: at(3), baseLimitBytes: at(4) },
      ...(!Number.isNaN(at(5)) && { lengthBytes: at(5) }),
      ...(foundBytes !== undefined && !Number.isNaN(foundBytes) && { foundBytes }),
    };
  }

  #pagesAt(row: number): PageMapRecord {
    const { pages, pageBits } = this.#packed;
    const start = row * PAGE_MAP_PART_SIZE_BYTES;
    const bits = pageBits.slice(start, start + PAGE_MAP_PART_SIZE_BYTES);
    return { ino: cell(pages, row, 0) as Ino, part: cell(pages, row, 1), bits };
  }
}

function cell({ cells, width }: Rows, row: number, column: number): number {
  return cells[row * width + column] as number;
}

/** The first row whose first cell is not below `key`. */
function firstRow(rows: Rows, key: number): number {
  let low = 0;
  let high = rows.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cell(rows, middle, 0) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isAt(rows: Rows, row: number, key: number): boolean {
  return row < rows.count && cell(rows, row, 0) === key;
}

function* matching<T>(rows: Rows, key: number, at: (row: number) => T): Generator<T> {
  for (let row = firstRow(rows, key); isAt(rows, row, key); row++) yield at(row);
}

function* rowsOf<T>({ count }: Rows, at: (row: number) => T): Generator<T> {
  for (let row = 0; row < count; row++) yield at(row);
}
