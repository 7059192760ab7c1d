/**
 * Reads the file lists of a chain: dest's whole, of the others what dest has, too.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type ChainSpec, destOf } from "./chain_spec.ts";
import { ListBuffer, ListFile } from "./list_file.ts";
import { MemberFiles } from "./member_files.ts";
import { MEMBERS_MAX } from "./page_index.ts";
import { grown, PathTable } from "./path_table.ts";

/** The file lists of a chain. */
export interface FileLists {
  /** Dest's files; every row has one. */
  readonly paths: PathTable;
  /** The st_mode of dest's files, by row. */
  readonly modes: Uint32Array;
  /** One a member, in the chain's order. */
  readonly members: readonly MemberFiles[];
}

const ROWS_FIRST = 1024;

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
  const paths = new PathTable();
  const dest = new MemberFiles(ROWS_FIRST);
  const members: MemberFiles[] = [dest];
  let modes = new Uint32Array(ROWS_FIRST);
  const buffer = new ListBuffer();
  for (const info of spec.members.toReversed()) {
    const list = ListFile.read(info, buffer);
    if (info === destOf(spec)) {
      list.scan((line) => {
        list.checkDestLine(line);
        const row = paths.add(list.bytes, line);
        if (row === undefined) throw list.refuse(line, "is listed twice");
        if (row >= modes.length) modes = grown(modes, modes.length * 2);
        dest.reserve(row);
        modes[row] = line.mode;
        list.take(dest, row, line);
      });
      continue;
    }
    // Memory for the rows that dest has; its ancestors supply bytes, never files.
    const files = new MemberFiles(paths.count);
    list.scan((line) => {
      const row = paths.find(list.bytes, line);
      if (row !== undefined) list.take(files, row, line);
    });
    members.unshift(files);
  }
  return { paths, modes, members };
}
