/**
 * From the keys of a `backup.control` to a {@link BackupInfo}.
 *
 * @module
 */

import { type ByteString, printable } from "../../../ffi/bytes.ts";
import { backupIdOf, parseTime } from "./control_time.ts";
import type { ControlValues } from "./control_file.ts";
import type { BackupInfo } from "./chain_spec.ts";

const MODES = ["FULL", "PAGE", "DELTA", "PTRACK"];

/** Where the values come from. */
export interface BackupOrigin {
  readonly dirPath: string;
  /** Used if no start time gives the id: the name of the directory. */
  readonly fallbackId: string;
}

/**
 * Takes what is there. Whether it is enough to serve the backup is not decided here: a backup that
 * cannot be served must be listed, too. What is missing or senseless is empty, zero or `UNKNOWN`.
 *
 * @see readBackupControlFile in pg_probackup, src/catalog.c
 */
export function backupInfoOf(values: ControlValues, origin: BackupOrigin): BackupInfo {
  const text = (key: string) => values.get(key) ?? "";
  const count = (key: string) => countOf(text(key)) ?? 0;
  const startTime = parseTime(text("start-time"));
  return {
    id: startTime === undefined ? origin.fallbackId : backupIdOf(startTime),
    dirPath: origin.dirPath,
    mode: modeOf(text("backup-mode")),
    stream: boolOf(text("stream")),
    compressAlg: text("compress-alg").trim().toLowerCase() || "none",
    compressLevel: count("compress-level"),
    fromReplica: boolOf(text("from-replica")),
    blockSizeBytes: count("block-size"),
    walBlockSizeBytes: count("xlog-block-size"),
    checksumVersion: count("checksum-version"),
    programVersion: text("program-version"),
    serverVersion: text("server-version"),
    timeline: count("timelineid"),
    startLsn: text("start-lsn").toUpperCase(),
    stopLsn: text("stop-lsn").toUpperCase(),
    startTime: startTime ?? 0,
    status: text("status").toUpperCase() || "UNKNOWN",
    ...optional("endTime", parseTime(text("end-time"))),
    ...optional("recoveryTime", parseTime(text("recovery-time"))),
    ...optional("expireTime", parseTime(text("expire-time"))),
    ...optional("parentId", text("parent-backup-id").toUpperCase() || undefined),
    // 0 means "do not check", as does a missing key.
    ...optional("contentCrc", countOf(text("content-crc")) || undefined),
    ...optional("externalDirs", (text("external-dirs") || undefined) as ByteString | undefined),
    ...optional("dataBytes", countOf(text("data-bytes"))),
    ...optional("walBytes", countOf(text("wal-bytes"))),
    ...optional("pgdataBytes", countOf(text("pgdata-bytes"))),
    ...optional("note", printable(text("note") as ByteString) || undefined),
  };
}

/** A backup of which only the directory is known. */
export function unknownBackup(origin: BackupOrigin): BackupInfo {
  return backupInfoOf(new Map(), origin);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

function countOf(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : undefined;
}

function boolOf(text: string): boolean {
  return /^(t|tr|tru|true|y|ye|yes|on|1)$/i.test(text);
}

/** pg_probackup takes any beginning of a mode's name, in any case. */
function modeOf(text: string): string {
  const wanted = text.trim().toUpperCase();
  return wanted === "" ? "" : MODES.find((mode) => mode.startsWith(wanted)) ?? wanted;
}
