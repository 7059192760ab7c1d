/**
 * Lines of `backup_content.control`, as pg_probackup 2.5.16 prints them.
 *
 * @module
 */

import type { Codec } from "../../../backup/mod.ts";

/** One file or directory of a backup. */
export interface ContentEntry {
  readonly path: string;
  /** Bytes stored; -1 for unchanged since the parent. */
  readonly size: number;
  /** With the bits of the type. */
  readonly mode: number;
  readonly isDataFile: boolean;
  readonly crc: number;
  readonly codec: Codec;
  readonly externalNumber: number;
  readonly databaseOid: number;
  /** Not printed if 0 or the same as `size`. */
  readonly fullSize: number;
  readonly segment: number;
  readonly blockCount: number;
  readonly headerCount: number;
  readonly headersCrc: number;
  readonly headersOffset: number;
  readonly headersSize: number;
}

/** What most entries have. */
export const PLAIN_ENTRY = {
  size: 0,
  isDataFile: false,
  crc: 0,
  codec: "none",
  externalNumber: 0,
  databaseOid: 0,
  fullSize: 0,
  segment: 0,
  blockCount: 0,
  headerCount: 0,
  headersCrc: 0,
  headersOffset: 0,
  headersSize: 0,
} as const satisfies Partial<ContentEntry>;

/** Entries by what identifies them. */
export type Content = ReadonlyMap<string, ContentEntry>;

/** What identifies an entry. */
export function keyOf(entry: Pick<ContentEntry, "path" | "externalNumber">): string {
  return `${entry.externalNumber} ${entry.path}`;
}

/** A line, with its end. @see pgBackupWriteFileList in pg_probackup, src/catalog.c */
export function lineOf(entry: ContentEntry): string {
  const { path, size, mode, isDataFile, crc, codec, externalNumber, databaseOid } = entry;
  let line = `{"path":"${path}", "size":"${size}", "mode":"${mode}", ` +
    `"is_datafile":"${isDataFile ? 1 : 0}", "is_cfs":"0", "crc":"${crc}", ` +
    `"compress_alg":"${codec}", "external_dir_num":"${externalNumber}", "dbOid":"${databaseOid}"`;
  if (entry.fullSize !== 0 && entry.fullSize !== size) line += `,"full_size":"${entry.fullSize}"`;
  if (isDataFile) line += `,"segno":"${entry.segment}"`;
  if (entry.blockCount > 0) line += `,"n_blocks":"${entry.blockCount}"`;
  if (entry.headerCount > 0) {
    line += `,"n_headers":"${entry.headerCount}","hdr_crc":"${entry.headersCrc}"` +
      `,"hdr_off":"${entry.headersOffset}","hdr_size":"${entry.headersSize}"`;
  }
  return `${line}}\n`;
}

/** The list of a backup that pg_probackup, or we, have written; of plain paths only. */
export function readContent(backupPath: string): Content {
  const text = Deno.readTextFileSync(`${backupPath}/backup_content.control`);
  const entries = text.split("\n").filter((line) => line !== "").map((line): ContentEntry => {
    const keys: Record<string, string | undefined> = JSON.parse(line);
    const count = (name: string) => Number(keys[name] ?? 0);
    const size = count("size");
    return {
      path: keys["path"] ?? "",
      size,
      mode: count("mode"),
      isDataFile: keys["is_datafile"] === "1",
      crc: count("crc"),
      codec: keys["compress_alg"] as Codec,
      externalNumber: count("external_dir_num"),
      databaseOid: count("dbOid"),
      fullSize: count("full_size"),
      segment: count("segno"),
      blockCount: count("n_blocks"),
      headerCount: count("n_headers"),
      headersCrc: count("hdr_crc"),
      headersOffset: count("hdr_off"),
      headersSize: count("hdr_size"),
    };
  });
  return new Map(entries.map((entry) => [keyOf(entry), entry]));
}
