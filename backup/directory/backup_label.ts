/**
 * `backup_label`: where the recovery of a base backup begins.
 *
 * @see build_backup_content in PostgreSQL, src/backend/access/transam/xlogbackup.c
 * @module
 */

import { type Lsn, parseLsn } from "../tree/lsn.ts";

/** What it tells. */
export interface BackupLabel {
  readonly start: Lsn;
  readonly timeline: number;
  /** It has but what changed since another backup, and is no data directory until both are combined. */
  readonly isIncremental: boolean;
}

/** @returns undefined if it does not tell where recovery begins. */
export function parseBackupLabel(text: string): BackupLabel | undefined {
  const found = /^START WAL LOCATION: ([0-9A-F]+\/[0-9A-F]+) \(file ([0-9A-F]{8})[0-9A-F]{16}\)$/m
    .exec(text);
  const start = parseLsn(found?.[1] ?? "");
  if (start === undefined) return undefined;
  return {
    ...{ start, timeline: Number.parseInt(found?.[2] ?? "", 16) },
    isIncremental: /^INCREMENTAL FROM LSN: /m.test(text),
  };
}
