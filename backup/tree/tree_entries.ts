/**
 * The entries of a tree, in columns.
 *
 * @module
 */

import { type ByteString, byteString } from "../../ffi/bytes.ts";
import { TYPE } from "../../ffi/file_type.ts";
import type { BaseEntry, BaseNames, EntryIndex } from "./base_tree.ts";
import type { Row } from "./path_list.ts";
import type { PathSlices } from "./path_order.ts";

const MODE_BITS = 0o7777;
const SLASH = 0x2f;

/** One fact a column, by position. */
export interface TreeColumns extends PathSlices {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** st_mode. */
  readonly modes: Uint16Array<ArrayBuffer>;
  /** 1 for a data file. */
  readonly paged: Uint8Array<ArrayBuffer>;
  /** Rows of dest's list; -1 for what the tree has on its own. */
  readonly rows: Int32Array<ArrayBuffer>;
  /** Of symbolic links. */
  readonly targets: ReadonlyMap<number, ByteString>;
}

/** Which entries are in which directory. */
export interface ChildLists {
  /** Entries, those of one directory one after another, sorted by name. */
  readonly entries: Uint32Array<ArrayBuffer>;
  /** Where those of a directory are; {@link ROOT} is the root. */
  readonly ranges: ReadonlyMap<number, { readonly from: number; readonly count: number }>;
}

/** Stands for the root, which is no entry. */
export const ROOT = -1;

/** Sorted by path, bytewise. Nothing is made for an entry before somebody asks for it. */
export class TreeEntries {
  constructor(private readonly columns: TreeColumns, private readonly children: ChildLists) {}

  get count(): number {
    return this.columns.count;
  }

  entry(index: EntryIndex): BaseEntry {
    const path = this.path(index);
    const isDataFile = this.columns.paged[index] !== 0;
    const target = this.columns.targets.get(index);
    const stored = this.mode(index);
    const type = stored & TYPE.mask;
    const mode = stored & MODE_BITS;
    const kind = type === TYPE.directory ? "directory" : type === TYPE.symlink ? "symlink" : "file";
    return { path, kind, mode, isDataFile, ...(target !== undefined && { target }) };
  }

  path(index: EntryIndex): ByteString {
    const { bytes, starts, lengths } = this.columns;
    const start = starts[index];
    if (start === undefined) throw new RangeError(`There is no entry ${index}`);
    return byteString(bytes.subarray(start, start + lengths[index]!));
  }

  /** st_mode. */
  mode(index: EntryIndex): number {
    const mode = this.columns.modes[index];
    if (mode === undefined) throw new RangeError(`There is no entry ${index}`);
    return mode;
  }

  /** The row of dest's list; -1 for what the tree has on its own. */
  row(index: EntryIndex): Row | -1 {
    return this.columns.rows[index]! as Row | -1;
  }

  find(path: ByteString): EntryIndex | undefined {
    const found = findPath(this.columns, path);
    return found < 0 ? undefined : found as EntryIndex;
  }

  parent(index: EntryIndex): EntryIndex | undefined {
    const path = this.path(index);
    const slash = path.lastIndexOf("/");
    return slash < 0 ? undefined : this.find(path.slice(0, slash) as ByteString);
  }

  names(directory: EntryIndex | undefined): BaseNames {
    const { columns, children } = this;
    const range = children.ranges.get(directory ?? ROOT) ?? { from: 0, count: 0 };
    const pathBytes = directory === undefined ? 0 : columns.lengths[directory]! + 1;
    return new DirectoryNames(columns, children.entries, { ...range, pathBytes });
  }
}

/** The names in one directory. */
class DirectoryNames implements BaseNames {
  readonly count: number;

  constructor(
    private readonly columns: TreeColumns,
    private readonly entries: Uint32Array,
    /** What the paths have before the name is `pathBytes` long. */
    private readonly range: {
      readonly from: number;
      readonly count: number;
      readonly pathBytes: number;
    },
  ) {
    this.count = range.count;
  }

  entry(at: number): EntryIndex {
    return this.entries[this.range.from + at]! as EntryIndex;
  }

  name(at: number): ByteString {
    const { bytes, starts, lengths } = this.columns;
    const index = this.entry(at);
    const start = starts[index]!;
    return byteString(bytes.subarray(start + this.range.pathBytes, start + lengths[index]!));
  }

  find(name: ByteString): number | undefined {
    const { columns, entries, range: { from, count, pathBytes } } = this;
    const found = search(count, (at) => comparePart(columns, entries[from + at]!, pathBytes, name));
    return found < 0 ? undefined : found;
  }
}

/** Position of a path among sorted ones; -1 if it is not there. */
export function findPath(paths: PathSlices, path: ByteString): number {
  return search(paths.count, (at) => comparePart(paths, at, 0, path));
}

/** Position of what compares as 0 among `count` in order; -1 if there is none. */
function search(count: number, compare: (at: number) => number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const difference = compare(middle);
    if (difference === 0) return middle;
    if (difference < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}

/** Length of the directory part of a path; 0 if it is in the root. */
export function parentLength({ bytes, starts, lengths }: PathSlices, index: number): number {
  const start = starts[index]!;
  for (let at = start + lengths[index]! - 1; at > start; at--) {
    if (bytes[at] === SLASH) return at - start;
  }
  return 0;
}

/** Below 0 if a path, from its byte `from` on, comes before `text`. */
function comparePart(paths: PathSlices, index: number, from: number, text: ByteString): number {
  const { bytes, starts, lengths } = paths;
  const start = starts[index]! + from;
  const length = lengths[index]! - from;
  const common = Math.min(length, text.length);
  for (let at = 0; at < common; at++) {
    const difference = bytes[start + at]! - text.charCodeAt(at);
    if (difference !== 0) return difference;
  }
  return length - text.length;
}
