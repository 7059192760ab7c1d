/**
 * A small base in memory, for tests.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { BaseEntry, BaseNames, BaseTree, EntryIndex } from "../backup/mod.ts";
import type { ByteString } from "../ffi/bytes.ts";
import { type BaseFile, type Extent, PAGE_SIZE_BYTES } from "./file_content.ts";

const ZEROS = new Uint8Array(PAGE_SIZE_BYTES);

/** What a path of the base is. */
export type FakeEntry =
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "file"; readonly isDataFile: boolean; readonly bytes: Uint8Array };

/** A base of the entries given, by path; directories come before what is in them. */
export class FakeBase implements BaseTree {
  readonly #entries: readonly BaseEntry[];
  readonly #files: readonly FakeEntry[];
  /** Paths whose bytes and sizes the chain cannot tell. */
  readonly damaged = new Set<string>();
  /** Reads so far: path and range. */
  readonly reads: string[] = [];
  unlisted: EntryIndex | undefined;

  constructor(files: Readonly<Record<string, FakeEntry>>) {
    const paths = Object.keys(files).sort();
    this.#files = paths.map((path) => files[path] as FakeEntry);
    this.#entries = this.#files.map((entry, index) => ({
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

  planRead(): never {
    throw new Error("The overlay reads through baseFile");
  }

  extent(): never {
    throw new Error("The overlay asks baseFile");
  }

  close(): void {}

  readonly baseFile = (entry: EntryIndex): BaseFile => {
    const bytes = () => this.#bytes(entry);
    const { reads } = this;
    const { isDataFile, path } = this.#entries[entry] as BaseEntry;
    return {
      isDataFile,
      get sizeBytes() {
        return bytes().length;
      },
      plan({ offsetBytes, sizeBytes }) {
        reads.push(`${path} ${offsetBytes}+${sizeBytes}`);
        const part = bytes().slice(offsetBytes, offsetBytes + sizeBytes);
        return [{ in: "memory", bytes: new Uint8Array(part) }];
      },
      extent: (offsetBytes) => extentAt(bytes(), offsetBytes, isDataFile),
      read({ offsetBytes, sizeBytes }, target, at) {
        const part = bytes().subarray(offsetBytes, offsetBytes + sizeBytes);
        if (part.length !== sizeBytes) throw new Error(`A read of ${path} leaves the file`);
        reads.push(`${path} ${offsetBytes}+${sizeBytes}`);
        target.bytes.set(part, at);
      },
    };
  };

  #bytes(entry: EntryIndex): Uint8Array {
    const { path } = this.#entries[entry] as BaseEntry;
    const file = this.#files[entry];
    if (this.damaged.has(path)) throw new Error(`${path} is damaged`);
    return file?.kind === "file" ? file.bytes : new Uint8Array();
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Blocks of a data file that are all zeros count as holes, as if nobody had stored them. */
function extentAt(bytes: Uint8Array, at: number, isDataFile: boolean): Extent {
  const isHole = (block: number) => {
    const page = bytes.subarray(block * PAGE_SIZE_BYTES, (block + 1) * PAGE_SIZE_BYTES);
    return isDataFile && Buffer.compare(page, ZEROS.subarray(0, page.length)) === 0;
  };
  const first = Math.floor(at / PAGE_SIZE_BYTES);
  let end = first + 1;
  while (end * PAGE_SIZE_BYTES < bytes.length && isHole(end) === isHole(first)) end++;
  return { isHole: isHole(first), endBytes: Math.min(end * PAGE_SIZE_BYTES, bytes.length) };
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
