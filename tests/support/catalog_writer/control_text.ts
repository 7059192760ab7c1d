/**
 * `backup.control`, as pg_probackup 2.5.16 writes it.
 *
 * @module
 */

import type { Codec } from "../../../backup/mod.ts";
import { formatTime } from "../../../backup/pg_probackup/catalog/control_time.ts";

/** What a control file tells. */
export interface ControlFacts {
  readonly mode: "FULL" | "DELTA" | "PAGE";
  readonly codec: Codec;
  readonly level: number;
  /** The cluster has data checksums. */
  readonly hasChecksums: boolean;
  /** `15` */
  readonly serverVersion: string;
  readonly timeline: number;
  /** `0/16B3748` */
  readonly startLsn: string;
  readonly stopLsn: string;
  /** Milliseconds since 1970; so are all times. */
  readonly startTime: number;
  readonly endTime: number;
  readonly sizes: BackupSizes;
  readonly parentId: string | undefined;
  /** `/a:/b` */
  readonly externalDirs: string | undefined;
  readonly contentCrc: number;
}

/** Statistics of a backup, in bytes. */
export interface BackupSizes {
  readonly data: number;
  readonly wal: number;
  readonly uncompressed: number;
  readonly pgdata: number;
}

/** @see pgBackupWriteControl in pg_probackup, src/catalog.c */
export function controlText(facts: ControlFacts): string {
  const time = (at: number) => `'${formatTime(at, 0)}'`;
  const { parentId, externalDirs } = facts;
  return [
    "#Configuration",
    `backup-mode = ${facts.mode}`,
    "stream = true",
    `compress-alg = ${facts.codec}`,
    `compress-level = ${facts.level}`,
    "from-replica = false",
    "",
    "#Compatibility",
    "block-size = 8192",
    "xlog-block-size = 8192",
    `checksum-version = ${facts.hasChecksums ? 1 : 0}`,
    "program-version = 2.5.16",
    `server-version = ${facts.serverVersion}`,
    "",
    "#Result backup info",
    `timelineid = ${facts.timeline}`,
    `start-lsn = ${facts.startLsn}`,
    `stop-lsn = ${facts.stopLsn}`,
    `start-time = ${time(facts.startTime)}`,
    `end-time = ${time(facts.endTime)}`,
    "recovery-xid = 0",
    `recovery-time = ${time(facts.endTime)}`,
    `data-bytes = ${facts.sizes.data}`,
    `wal-bytes = ${facts.sizes.wal}`,
    `uncompressed-bytes = ${facts.sizes.uncompressed}`,
    `pgdata-bytes = ${facts.sizes.pgdata}`,
    "status = OK",
    ...(parentId === undefined ? [] : [`parent-backup-id = '${parentId}'`]),
    ...(externalDirs === undefined ? [] : [`external-dirs = '${externalDirs}'`]),
    `content-crc = ${facts.contentCrc}`,
    "",
  ].join("\n");
}
