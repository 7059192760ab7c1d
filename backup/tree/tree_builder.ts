/**
 * Gathers the entries of a tree, and puts them in order.
 *
 * @module
 */

import { type ByteString, byteString, printable } from "../../ffi/bytes.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { grown } from "./grown.ts";
import type { PathList, Row } from "./path_list.ts";
import { pathOrder, type PathSlices } from "./path_order.ts";
import { storeDamaged } from "./store_error.ts";
import {
  type ChildLists,
  findPath,
  parentLength,
  ROOT,
  type TreeColumns,
  TreeEntries,
} from "./tree_entries.ts";

const PRIVATE_DIRECTORY = TYPE.directory | 0o700;
/** Entries that a tree has more than rows, if there are no tablespaces. */
const OWN_ENTRIES = 64;

/** What is told of an entry besides its path. */
export interface NewEntry {
  /** st_mode. */
  readonly mode: number;
  readonly isDataFile?: boolean;
  /** The row of dest's list that it comes from, if any. */
  readonly row?: Row;
  readonly target?: ByteString;
}

/** Paths of rows stay where they are in memory; others are put behind them. */
export class TreeBuilder {
  #count = 0;
  #bytes: Uint8Array<ArrayBuffer>;
  #bytesUsed: number;
  #starts: Uint32Array<ArrayBuffer>;
  #lengths: Uint16Array<ArrayBuffer>;
  #modes: Uint16Array<ArrayBuffer>;
  #paged: Uint8Array<ArrayBuffer>;
  #rows: Int32Array<ArrayBuffer>;
  readonly #targets = new Map<number, ByteString>();

  constructor(private readonly paths: PathList) {
    const length = paths.count + OWN_ENTRIES;
    this.#bytes = paths.columns.bytes;
    this.#bytesUsed = paths.columns.starts[paths.count]!;
    this.#starts = new Uint32Array(length);
    this.#lengths = new Uint16Array(length);
    this.#modes = new Uint16Array(length);
    this.#paged = new Uint8Array(length);
    this.#rows = new Int32Array(length);
  }

  /** Adds a row, with the path that it has in the list. */
  addRow(row: Row, entry: NewEntry): void {
    const start = this.paths.start(row);
    this.#add(start, this.paths.end(row) - start, { ...entry, row });
  }

  /** Adds an entry. */
  add(path: string, entry: NewEntry): void {
    const start = this.#bytesUsed;
    const end = start + path.length;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, end + this.#bytes.length);
    for (let at = 0; at < path.length; at++) this.#bytes[start + at] = path.charCodeAt(at);
    this.#bytesUsed = end;
    this.#add(start, path.length, entry);
  }

  addDirectory(path: string, mode = 0o700): void {
    this.add(path, { mode: TYPE.directory | mode });
  }

  /**
   * The entries, with the directories that are missing, and without those that are named twice.
   *
   * @throws {PbkfsError} `StoreDamaged` if two entries have one path, or one is inside a file.
   */
  build(): TreeEntries {
    for (;;) {
      const columns = this.#sorted();
      const missing = new Set<string>();
      const children = childLists(columns, missing);
      if (missing.size === 0) return new TreeEntries(columns, children);
      for (const path of missing) this.add(path, { mode: PRIVATE_DIRECTORY });
    }
  }

  #add(start: number, length: number, entry: NewEntry): void {
    if (this.#count === this.#rows.length) this.#grow();
    const index = this.#count++;
    this.#starts[index] = start;
    this.#lengths[index] = length;
    this.#modes[index] = entry.mode;
    this.#paged[index] = entry.isDataFile === true ? 1 : 0;
    this.#rows[index] = entry.row ?? -1;
    if (entry.target !== undefined) this.#targets.set(index, entry.target);
  }

  #grow(): void {
    const length = this.#count * 2;
    this.#starts = grown(this.#starts, length);
    this.#lengths = grown(this.#lengths, length);
    this.#modes = grown(this.#modes, length);
    this.#paged = grown(this.#paged, length);
    this.#rows = grown(this.#rows, length);
  }

  #sorted(): TreeColumns {
    const bytes = this.#bytes;
    const slices = { count: this.#count, bytes, starts: this.#starts, lengths: this.#lengths };
    const order = this.#withoutDoubles(slices, pathOrder(slices));
    const count = order.length;
    const columns = {
      ...{ count, bytes, starts: new Uint32Array(count), lengths: new Uint16Array(count) },
      ...{ modes: new Uint16Array(count), paged: new Uint8Array(count) },
      ...{ rows: new Int32Array(count), targets: new Map<number, ByteString>() },
    };
    for (let to = 0; to < count; to++) {
      const from = order[to]!;
      columns.starts[to] = this.#starts[from]!;
      columns.lengths[to] = this.#lengths[from]!;
      columns.modes[to] = this.#modes[from]!;
      columns.paged[to] = this.#paged[from]!;
      columns.rows[to] = this.#rows[from]!;
      if ((this.#modes[from]! & TYPE.mask) !== TYPE.symlink) continue;
      columns.targets.set(to, this.#targets.get(from)!);
    }
    return columns;
  }

  #withoutDoubles(paths: PathSlices, order: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
    let kept = 0;
    for (let at = 0; at < order.length; at++) {
      const index = order[at]!;
      if (at > 0 && isSamePath(paths, order[kept - 1]!, index)) {
        if (this.#isDirectory(order[kept - 1]!) && this.#isDirectory(index)) continue;
        throw storeDamaged(
          `Two entries of the file list become "${printable(textOf(paths, index))}"`,
        );
      }
      order[kept++] = index;
    }
    return order.subarray(0, kept);
  }

  #isDirectory(index: number): boolean {
    return (this.#modes[index]! & TYPE.mask) === TYPE.directory;
  }
}

/** A directory, and where its entries are among those of all. */
interface Range {
  from: number;
  count: number;
}

/**
 * Finds the directory of each entry, which comes before it.
 *
 * @param missing Gets the directories that are not there.
 */
function childLists(columns: TreeColumns, missing: Set<string>): ChildLists {
  const { count, modes } = columns;
  const root: Range = { from: 0, count: 0 };
  const byPath = new Map<string, Range>([["", root]]);
  const ranges = new Map<number, Range>([[ROOT, root]]);
  /** The range of each entry, while it is the same as that of the one before. */
  const runs: { readonly range: Range; readonly from: number }[] = [];
  let range = root;
  for (let index = 0; index < count; index++) {
    const length = parentLength(columns, index);
    if (index === 0 || !isBeside(columns, index, length)) {
      const path = textOf(columns, index, length);
      const known = byPath.get(path);
      if (known === undefined) noteMissing(columns, path, { known: byPath, missing });
      range = known ?? root;
      runs.push({ range, from: index });
    }
    range.count++;
    if ((modes[index]! & TYPE.mask) !== TYPE.directory) continue;
    const own: Range = { from: 0, count: 0 };
    byPath.set(textOf(columns, index), own);
    ranges.set(index, own);
  }
  return { entries: inRanges(count, runs, ranges), ranges };
}

/** Puts each entry where the range of its directory is. */
function inRanges(
  count: number,
  runs: readonly { readonly range: Range; readonly from: number }[],
  ranges: ReadonlyMap<number, Range>,
): Uint32Array<ArrayBuffer> {
  const entries = new Uint32Array(count);
  let from = 0;
  const next = new Map<Range, number>();
  for (const range of ranges.values()) {
    range.from = from;
    next.set(range, from);
    from += range.count;
  }
  runs.forEach(({ range, from }, at) => {
    const end = runs[at + 1]?.from ?? count;
    let slot = next.get(range)!;
    for (let index = from; index < end; index++) entries[slot++] = index;
    next.set(range, slot);
  });
  return entries;
}

/** @throws {PbkfsError} `StoreDamaged` if there is something else. */
function noteMissing(
  columns: TreeColumns,
  directory: string,
  { known, missing }: { known: ReadonlyMap<string, unknown>; missing: Set<string> },
): void {
  for (let path = directory; !known.has(path);) {
    if (findPath(columns, path as ByteString) >= 0) {
      throw storeDamaged(
        `The file list has "${printable(path as ByteString)}" and entries inside it, but ` +
          "it is no directory",
      );
    }
    missing.add(path);
    path = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  }
}

/** Whether an entry and the one before are in the same directory. */
function isBeside(paths: PathSlices, index: number, length: number): boolean {
  if (parentLength(paths, index - 1) !== length) return false;
  const { bytes, starts } = paths;
  const [start, before] = [starts[index]!, starts[index - 1]!];
  for (let at = 0; at < length; at++) if (bytes[start + at] !== bytes[before + at]) return false;
  return true;
}

function isSamePath({ bytes, starts, lengths }: PathSlices, a: number, b: number): boolean {
  if (lengths[a] !== lengths[b]) return false;
  const [startA, startB] = [starts[a]!, starts[b]!];
  for (let at = lengths[a]! - 1; at >= 0; at--) {
    if (bytes[startA + at] !== bytes[startB + at]) return false;
  }
  return true;
}

function textOf(paths: PathSlices, index: number, length = paths.lengths[index]!): ByteString {
  const start = paths.starts[index]!;
  return byteString(paths.bytes.subarray(start, start + length));
}
