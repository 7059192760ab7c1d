/**
 * The file lists of a chain, in columns by row of dest's list.
 *
 * @module
 */

import { type MemberColumns, MemberFiles } from "./member_files.ts";
import { type PathColumns, PathList, type Row } from "../../tree/path_list.ts";

/** What dest's list tells of each file, changed or not. By row. */
export interface RowColumns {
  /** st_mode. */
  readonly modes: Uint16Array<ArrayBuffer>;
  /** 1 for what is stored as a stream of pages. */
  readonly paged: Uint8Array<ArrayBuffer>;
  /** Length of the live file in blocks; 0 if not told. */
  readonly blockCounts: Uint32Array<ArrayBuffer>;
}

/** File lists as plain data, to be handed to another thread. */
export interface FileListsData {
  readonly paths: PathColumns;
  readonly rows: RowColumns;
  readonly members: readonly MemberColumns[];
}

/** The file lists of a chain: dest's whole, of the others what dest has, too. */
export class FileLists {
  /** Dest's files; every row has one. */
  readonly paths: PathList;
  /** The st_mode of dest's files, by row. */
  readonly modes: Uint16Array;
  /** One a member, in the chain's order. */
  readonly members: readonly MemberFiles[];

  constructor(readonly data: FileListsData) {
    this.paths = new PathList(data.paths);
    this.modes = data.rows.modes;
    this.members = data.members.map((columns) => new MemberFiles(columns));
  }

  /** Whether the file is stored as a stream of pages, where it is stored. */
  isPaged(row: Row): boolean {
    return this.data.rows.paged[row] !== 0;
  }

  /** Length of the live file in blocks; 0 if dest's list does not tell. */
  blockCount(row: Row): number {
    return this.data.rows.blockCounts[row]!;
  }
}

/** What {@link FileListsData} lies in: whoever transfers it has it no more. */
export function buffersOf({ paths, rows, members }: FileListsData): ArrayBuffer[] {
  const { bytes, starts, externals } = paths;
  const columns = [bytes, starts, externals, ...Object.values(rows), ...members.flatMap(valuesOf)];
  return columns.map(({ buffer }) => buffer as ArrayBuffer);
}

function valuesOf(columns: MemberColumns): ArrayBufferView[] {
  return Object.values(columns);
}
