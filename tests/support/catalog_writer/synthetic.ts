/**
 * Catalogs of as many files as one likes, without a database: for what takes time by the number of
 * files. No server starts on them.
 *
 * @module
 */

import { deflate } from "pako";
import { backupIdOf, crc32c } from "../../../backup/testing.ts";
import { type ContentEntry, lineOf, PLAIN_ENTRY } from "./content_entry.ts";
import { controlText } from "./control_text.ts";
import { makeInstance } from "./make_instance.ts";

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

const WAL_SEGMENT_BYTES = 1024 * 1024;
const FILES_A_DATABASE = 10_000;
const FIRST_START = Date.UTC(2024, 0, 1);
const DIRECTORIES = ["base", "global", "pg_wal", "pg_tblspc"];

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
  for (let backup = 0; backup < plan.backups; backup++) {
    const startTime = FIRST_START + backup * 60_000;
    const id = backupIdOf(startTime);
    writeOne(plan, `${instancePath}/${id}`, backup, startTime, parentId);
    parentId = id;
  }
}

function writeOne(
  plan: SyntheticPlan,
  dirPath: string,
  backup: number,
  startTime: number,
  parentId: string | undefined,
): void {
  const database = `${dirPath}/database`;
  for (const dir of DIRECTORIES) {
    Deno.mkdirSync(`${database}/${dir}`, { recursive: true, mode: 0o700 });
  }
  using list = new ListWriter(`${dirPath}/backup_content.control`);
  for (const path of DIRECTORIES) list.add(directoryEntry(path));
  for (const [path, bytes] of Object.entries(plainFiles(backup))) {
    Deno.writeFileSync(`${database}/${path}`, bytes, { mode: 0o600 });
    const size = bytes.length;
    list.add({ ...PLAIN_ENTRY, path, mode: 0o100600, size, crc: crc32c(bytes) });
  }
  for (let file = 0; file < plan.files; file++) {
    const oid = 16384 + Math.floor(file / FILES_A_DATABASE);
    if (file % FILES_A_DATABASE === 0) {
      list.add(directoryEntry(`base/${oid}`, oid));
      Deno.mkdirSync(`${database}/base/${oid}`);
    }
    const path = `base/${oid}/${20_000 + file}`;
    const isStored = backup === 0 || file % 100 === backup;
    if (isStored && file < (plan.stored ?? 100)) Deno.writeFileSync(`${database}/${path}`, RECORD);
    list.add(dataEntry(path, oid, isStored));
  }
  Deno.writeFileSync(`${dirPath}/page_header_map`, REGION);
  const lsn = `0/${(backup + 1).toString(16).toUpperCase()}`;
  const text = controlText({
    mode: backup === 0 ? "FULL" : "PAGE",
    codec: "none",
    level: 1,
    hasChecksums: false,
    serverVersion: "15",
    timeline: 1,
    startLsn: `${lsn}00028`,
    stopLsn: `${lsn}00168`,
    startTime,
    endTime: startTime + 5000,
    sizes: { data: 0, wal: WAL_SEGMENT_BYTES, uncompressed: 0, pgdata: 0 },
    parentId,
    externalDirs: undefined,
    contentCrc: list.finish(),
  });
  Deno.writeTextFileSync(`${dirPath}/backup.control`, text);
}

/** As many as a mount asks for, and the segment that `start-lsn` and `stop-lsn` lie in. */
function plainFiles(backup: number): Record<string, Uint8Array> {
  const segment = (backup + 1).toString(16).toUpperCase().padStart(8, "0");
  return {
    PG_VERSION: new TextEncoder().encode("15\n"),
    "postgresql.auto.conf": new TextEncoder().encode("# none\n"),
    "global/pg_control": new Uint8Array(8192).fill(1),
    [`pg_wal/0000000100000000${segment}`]: new Uint8Array(WAL_SEGMENT_BYTES),
  };
}

function directoryEntry(path: string, databaseOid = 0): ContentEntry {
  return { ...PLAIN_ENTRY, path, mode: 0o040700, databaseOid };
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

/** A list too long to be held as one string. */
class ListWriter implements Disposable {
  #crc = 0;
  #text = "";
  readonly #file: Deno.FsFile;

  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  }

  add(entry: ContentEntry): void {
    this.#text += lineOf(entry);
    if (this.#text.length > 4_000_000) this.#flush();
  }

  /** @returns The CRC32C of the list. */
  finish(): number {
    this.#flush();
    return this.#crc;
  }

  #flush(): void {
    const bytes = new TextEncoder().encode(this.#text);
    this.#text = "";
    this.#crc = crc32c(bytes, this.#crc);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
