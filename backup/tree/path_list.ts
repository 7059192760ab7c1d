/**
 * The paths of dest's file list.
 *
 * @module
 */

import { bytesOf, type ByteString, byteString } from "../../ffi/bytes.ts";

/** Position of a line in dest's list, counted from 0: the name of a file inside `backup/`. */
export type Row = number & { readonly row: unique symbol };

/** A {@link PathList} as plain data, to be handed to another thread. */
export interface PathColumns {
  readonly count: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Start of each path; the next one's start is its end. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** Number of the external directory, 0 for the data directory. */
  readonly externals: Uint16Array<ArrayBuffer>;
}

/** Paths as bytes: a string for each would cost more than all the rest that a list tells. */
export class PathList {
  constructor(readonly columns: PathColumns) {}

  /** How many rows there are. */
  get count(): number {
    return this.columns.count;
  }

  /** The path, relative to the data directory or to its external directory. */
  path(row: Row): ByteString {
    return byteString(this.columns.bytes.subarray(this.start(row), this.end(row)));
  }

  /** Where the path begins in the bytes of {@link PathList.columns}. */
  start(row: Row): number {
    return this.columns.starts[row]!;
  }

  /** Where it ends. */
  end(row: Row): number {
    return this.columns.starts[row + 1]!;
  }

  /** Number of the external directory, 0 for the data directory. */
  external(row: Row): number {
    return this.columns.externals[row]!;
  }

  /** Whether the path begins with these bytes. */
  startsWith(row: Row, prefix: Uint8Array): boolean {
    const start = this.start(row);
    if (this.end(row) - start < prefix.length) return false;
    const { bytes } = this.columns;
    for (let at = 0; at < prefix.length; at++) if (bytes[start + at] !== prefix[at]) return false;
    return true;
  }

  /** The row of a path below the data directory, if dest has it. Looks at all: for few paths. */
  rowOf(path: ByteString): Row | undefined {
    const wanted = bytesOf(path);
    for (let row = 0 as Row; row < this.count; row++) {
      const isAsLong = this.end(row) - this.start(row) === wanted.length;
      if (isAsLong && this.external(row) === 0 && this.startsWith(row, wanted)) return row;
    }
    return undefined;
  }
}
