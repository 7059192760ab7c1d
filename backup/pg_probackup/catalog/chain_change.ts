/**
 * The check that a chain is still what it was. Its catalog lives: backups are deleted, merged,
 * validated.
 *
 * @module
 */

import type { BackupInfo, ChainSpec } from "./chain_spec.ts";
import { readBackup } from "./control_catalog.ts";

/** What pg_probackup writes first when it is about to change a backup, or has found it damaged. */
const GOOD = ["OK", "DONE"];

/**
 * Reads the control files of a chain once more. A note or an expiry date may have changed, and DONE
 * may have become OK; nothing else.
 *
 * @returns What has changed, as a sentence without its full stop; undefined if nothing has.
 */
export async function changeOfChain(spec: ChainSpec): Promise<string | undefined> {
  for (const member of spec.members) {
    const change = await changeOf(member);
    if (change !== undefined) return change;
  }
  return undefined;
}

async function changeOf(was: BackupInfo): Promise<string | undefined> {
  const { info: is, unreadable } = await readBackup(was);
  if (unreadable !== undefined) return `Backup ${was.id} cannot be read any more: ${unreadable}`;
  if (is.id !== was.id) return `"${was.dirPath}" holds backup ${is.id} now, not ${was.id}`;
  if (!GOOD.includes(is.status)) return `Backup ${was.id} is ${is.status} now`;
  if (is.parentId !== was.parentId) {
    return `The parent of backup ${was.id} is ${is.parentId ?? "none"} now, not ${was.parentId}`;
  }
  if (is.contentCrc !== was.contentCrc) return `The file list of backup ${was.id} has changed`;
  return undefined;
}
