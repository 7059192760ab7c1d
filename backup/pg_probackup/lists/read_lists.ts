/**
 * Reads the file lists of a chain: dest's whole, of the others what dest has, too.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { type BackupInfo, type ChainSpec, destOf } from "../catalog/chain_spec.ts";
import { FileLists, type RowColumns } from "./file_lists.ts";
import { grown } from "../../tree/grown.ts";
import { LIST_LINES_MAX, ListFile } from "./list_file.ts";
import { isPaged, type MemberColumns, MemberFilesBuilder, MEMBERS_MAX } from "./member_files.ts";
import { ownerOf } from "../catalog/open_instance.ts";
import { PathTable } from "./path_table.ts";
import type { FileOwner } from "../../tree/store_directory.ts";

/** A line is seldom shorter. Room for more than come costs nothing: it is not touched. */
const LINE_BYTES_USUAL = 128;
const LINES_MORE = 16;

/**
 * Reads the newest list first: only what dest has, counts.
 *
 * @throws {PbkfsError} `StoreDamaged` or `CatalogUnreadable` naming the list and the line,
 * `CodecUnsupported`, `VersionUnsupported`.
 */
export function readFileLists(spec: ChainSpec): FileLists {
  if (spec.members.length > MEMBERS_MAX) {
    throw new PbkfsError("ChainBroken", {
      what: `The chain has ${spec.members.length} backups, expected ${MEMBERS_MAX} at most`,
      todo: "Merge some of them with pg_probackup merge.",
    });
  }
  const reader = ownerOf(spec);
  const dest = readDest(destOf(spec), reader);
  const members = [dest.columns];
  for (const info of spec.members.slice(0, -1).reverse()) {
    members.unshift(readAncestor(info, { paths: dest.paths, reader }));
  }
  return new FileLists({ paths: dest.paths.list().columns, rows: dest.rows, members });
}

/** The list that says which files there are. */
function readDest(info: BackupInfo, reader: FileOwner): {
  readonly paths: PathTable;
  readonly rows: RowColumns;
  readonly columns: MemberColumns;
} {
  using list = ListFile.open(info, reader);
  const expected = expectedLines(list);
  const paths = new PathTable(expected);
  const files = new MemberFilesBuilder(expected, expected);
  let modes = new Uint16Array(expected);
  let paged = new Uint8Array(expected);
  let blockCounts = new Uint32Array(expected);
  list.scan((line, bytes) => {
    list.checkDestLine(line);
    const row = paths.add(bytes, line);
    if (row === undefined) throw list.refuse(line, "is listed twice");
    if (row >= LIST_LINES_MAX) throw list.refuse(line, `is file ${row + 1}: there are too many`);
    if (row >= modes.length) {
      modes = grown(modes, row * 2);
      paged = grown(paged, row * 2);
      blockCounts = grown(blockCounts, row * 2);
    }
    modes[row] = line.mode;
    paged[row] = isPaged(line) ? 1 : 0;
    blockCounts[row] = line.blockCount;
    list.take(files, row, line);
  });
  return { paths, rows: { modes, paged, blockCounts }, columns: files.build().columns };
}

/** Ancestors supply bytes, never files. */
function readAncestor(
  info: BackupInfo,
  { paths, reader }: { readonly paths: PathTable; readonly reader: FileOwner },
): MemberColumns {
  using list = ListFile.open(info, reader);
  const files = new MemberFilesBuilder(paths.count, Math.min(paths.count, expectedLines(list)));
  list.scan((line, bytes) => {
    const row = paths.find(bytes, line);
    if (row !== undefined) list.take(files, row, line);
  });
  return files.build().columns;
}

function expectedLines({ sizeBytes }: ListFile): number {
  return Math.ceil(sizeBytes / LINE_BYTES_USUAL) + LINES_MORE;
}
