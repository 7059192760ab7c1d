/**
 * A small base, for tests: its bytes are planned, and then read, as those of a chain are.
 *
 * @module
 */

import type { BaseEntry, BaseNames, BaseTree, EntryIndex, Piece } from "../../backup/mod.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { ByteRange } from "../../ffi/libc.ts";
import { type Extent, PAGE_SIZE_BYTES } from "../../overlay/content/file_content.ts";
import { type FakeFile, FakeStore, isHole } from "./fake_store.ts";

/** What a path of the base is. */
export type FakeEntry =
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "file"; readonly isDataFile: boolean; readonly bytes: Uint8Array };

/** A base of the entries given, by path; directories come before what is in them. */
export class FakeBase implements BaseTree {
  readonly #entries: readonly BaseEntry[];
  readonly #stored: readonly (FakeFile | undefined)[];
  #store: FakeStore | undefined;
  /** Paths whose bytes and sizes the chain cannot tell. */
  readonly damaged = new Set<string>();
  /** Reads planned so far: path and range. */
  readonly reads: string[] = [];
  unlisted: EntryIndex | undefined;

  constructor(files: Readonly<Record<string, FakeEntry>>) {
    const paths = Object.keys(files).sort();
    const entries = paths.map((path) => files[path] as FakeEntry);
    this.#stored = entries.map((entry, index) =>
      entry.kind === "file" ? { path: paths[index] as string, ...entry } : undefined
    );
    this.#entries = entries.map((entry, index) => ({
      path: paths[index] as ByteString,
      kind: entry.kind,
      mode: entry.kind === "directory" ? 0o700 : entry.kind === "symlink" ? 0o777 : 0o600,
      isDataFile: entry.kind === "file" && entry.isDataFile,
      ...(entry.kind === "symlink" && { target: entry.target as ByteString }),
    }));
  }

  get count(): number {
    return this.#entries.length;
  }

  entry(index: EntryIndex): BaseEntry {
    return this.#entries[index] as BaseEntry;
  }

  mode(index: EntryIndex): number {
    const { kind, mode } = this.entry(index);
    return mode | { directory: 0o040000, symlink: 0o120000, file: 0o100000 }[kind];
  }

  parent(index: EntryIndex): EntryIndex | undefined {
    const parent = parentOf(this.entry(index).path);
    const found = this.#entries.findIndex(({ path }) => path === parent);
    return found < 0 ? undefined : found as EntryIndex;
  }

  names(directory: EntryIndex | undefined): BaseNames {
    const path = directory === undefined ? "" : this.entry(directory).path;
    const inside = this.#entries.map((_, index) => index as EntryIndex)
      .filter((index) => parentOf(this.entry(index).path) === path);
    const nameOf = (index: EntryIndex) => this.entry(index).path.split("/").at(-1) as ByteString;
    return {
      count: inside.length,
      name: (at) => nameOf(inside[at] as EntryIndex),
      entry: (at) => inside[at] as EntryIndex,
      find(name) {
        const at = inside.findIndex((index) => nameOf(index) === name);
        return at < 0 ? undefined : at;
      },
    };
  }

  sizeBytes(entry: EntryIndex): number {
    return this.#bytes(entry).length;
  }

  planRead(entry: EntryIndex, range: ByteRange): Piece[] {
    const { offsetBytes, sizeBytes } = range;
    const { path } = this.entry(entry);
    if (offsetBytes + sizeBytes > this.#bytes(entry).length) {
      throw new Error(`A read of ${path} leaves the file`);
    }
    this.reads.push(`${path} ${offsetBytes}+${sizeBytes}`);
    this.#store ??= new FakeStore(this.#stored.filter((file) => file !== undefined));
    return this.#store.plan(this.#stored[entry] as FakeFile, range);
  }

  extent(entry: EntryIndex, offsetBytes: number): Extent {
    const bytes = this.#bytes(entry);
    return extentAt(bytes, offsetBytes, this.entry(entry).isDataFile);
  }

  close(): void {
    this.#store?.close();
    this.#store = undefined;
  }

  #bytes(entry: EntryIndex): Uint8Array {
    const { path } = this.#entries[entry] as BaseEntry;
    if (this.damaged.has(path)) throw new Error(`${path} is damaged`);
    return this.#stored[entry]?.bytes ?? new Uint8Array();
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Blocks of a data file that are all zeros count as holes, as if nobody had stored them. */
function extentAt(bytes: Uint8Array, at: number, isDataFile: boolean): Extent {
  const file = { bytes, isDataFile };
  const first = Math.floor(at / PAGE_SIZE_BYTES);
  const isFirstHole = isHole(file, first);
  let end = first + 1;
  while (end * PAGE_SIZE_BYTES < bytes.length && isHole(file, end) === isFirstHole) end++;
  return { isHole: isFirstHole, endBytes: Math.min(end * PAGE_SIZE_BYTES, bytes.length) };
}

/** Bytes that differ from place to place, and from salt to salt. None is zero. */
export function pattern(sizeBytes: number, salt: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = (salt * 2654435761 + 12345) >>> 0;
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = (state >>> 24) || 1;
  }
  return bytes;
}
