/**
 * Catalogs of as many files as one likes, without a database: for what takes time by the number of
 * files. No server starts on them.
 *
 * @module
 */

import { deflate } from "pako";
import { crc32c } from "../../../backup/tree/crc32c.ts";
import { type ContentEntry, PLAIN_ENTRY } from "./content_entry.ts";
import { makeInstance } from "./make_instance.ts";
import { SyntheticBackup, WAL_SEGMENT_BYTES } from "./synthetic_backup.ts";

/** How large. */
export interface SyntheticPlan {
  readonly catalogPath: string;
  /** In each backup; more than 10. */
  readonly files: number;
  /** FULL and increments, in each of which one file in a hundred has changed. */
  readonly backups: number;
  /**
   * How many data files are really there. All are listed; a mount opens none until it is read, and
   * making a million takes minutes. 100 if left out.
   */
  readonly stored?: number;
}

const FILES_A_DATABASE = 10_000;

/** All data files have the same page, so they have the same record, and share its header. */
const RECORD = new Uint8Array(8 + 8192);
new DataView(RECORD.buffer).setInt32(4, 8192, true);
const HEADERS = new Uint8Array(2 * 24);
new DataView(HEADERS.buffer).setInt32(24 + 12, RECORD.length, true);
const REGION = deflate(HEADERS, { level: 1 });
const STORED = {
  size: RECORD.length,
  crc: crc32c(RECORD),
  fullSize: 8192,
  headerCount: 1,
  headersCrc: crc32c(HEADERS),
  headersSize: REGION.length,
};

/** Writes the catalog. Each data file has one page, of zeros, stored as it is. */
export function writeSynthetic(plan: SyntheticPlan): void {
  const instancePath = makeInstance({
    catalogPath: plan.catalogPath,
    systemIdentifier: "7710370190872320199",
    walSegmentBytes: WAL_SEGMENT_BYTES,
  });
  let parentId: string | undefined;
  for (let number = 0; number < plan.backups; number++) {
    using backup = new SyntheticBackup(instancePath, number, parentId);
    addFiles(plan, backup);
    Deno.writeFileSync(`${backup.dirPath}/page_header_map`, REGION);
    backup.finish("none");
    parentId = backup.id;
  }
}

function addFiles(plan: SyntheticPlan, backup: SyntheticBackup): void {
  for (let file = 0; file < plan.files; file++) {
    const oid = 16384 + Math.floor(file / FILES_A_DATABASE);
    if (file % FILES_A_DATABASE === 0) backup.addDatabase(oid);
    const path = `base/${oid}/${20_000 + file}`;
    const isStored = backup.number === 0 || file % 100 === backup.number;
    if (isStored && file < (plan.stored ?? 100)) {
      Deno.writeFileSync(`${backup.dirPath}/database/${path}`, RECORD);
    }
    backup.add(dataEntry(path, oid, isStored));
  }
}

function dataEntry(path: string, databaseOid: number, isStored: boolean): ContentEntry {
  const entry = {
    ...PLAIN_ENTRY,
    path,
    databaseOid,
    mode: 0o100600,
    isDataFile: true,
    blockCount: 1,
  };
  return isStored ? { ...entry, ...STORED } : { ...entry, size: -1 };
}
