/**
 * `postgresql.auto.conf` as a restore leaves it.
 *
 * @module
 */

import { bytesOf, type ByteString, byteString } from "../../../ffi/bytes.ts";
import { settingLines } from "../../tree/setting_lines.ts";
import { formatTime } from "../catalog/control_time.ts";

/** What goes into the file besides its own lines. */
export interface AutoConfOptions {
  readonly backupId: string;
  /** Milliseconds since 1970. */
  readonly restoredAt: number;
  /** Lines to add at the end. */
  readonly settings: readonly string[];
}

/**
 * Drops recovery settings, which would lead the server where the backup came from, and appends the
 * header that pg_probackup writes.
 *
 * @see update_recovery_options in pg_probackup, src/restore.c
 */
export function rewriteAutoConf(
  stored: Uint8Array,
  { backupId, restoredAt, settings }: AutoConfOptions,
): Uint8Array<ArrayBuffer> {
  const kept = linesOf(byteString(stored)).filter((line) => !isRecoverySetting(line)).join("");
  const header = `\n# recovery settings added by pg_probackup restore of backup ${backupId} at ` +
    `'${formatTime(restoredAt)}'\n`;
  return bytesOf((kept + header + settingLines(settings)) as ByteString);
}

/** The lines with their ends; the last one may have none. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Wherever the words stand, be it in a comment: the program looks no closer. */
function isRecoverySetting(line: string): boolean {
  return line.includes("restore_command") || line.includes("recovery_target") ||
    (line.includes("include") && line.includes("probackup_recovery.conf"));
}
