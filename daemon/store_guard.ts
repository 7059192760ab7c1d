/**
 * Keeps a backup as it is while it is mounted: its source locks or watches it, and what has changed
 * all the same raises the alarm, so that no read gives bytes of two backups.
 *
 * @module
 */

import {
  type BackupRef,
  type Hold,
  type HoldOptions,
  sourceOf,
  type StoreAlarm,
} from "../backup/mod.ts";
import { PbkfsError } from "../errors.ts";

/** How to guard a backup. */
export interface GuardOptions extends Omit<HoldOptions, "onChange"> {
  readonly alarm: StoreAlarm;
  readonly log: (text: string) => void;
}

/**
 * Holds a backup, and then sees that it is still what it was when it was found.
 *
 * @throws {PbkfsError} `StoreLocked`; `BackupNotRestorable` if it has changed.
 */
export async function guardStore(
  backup: BackupRef,
  { alarm, log, ...options }: GuardOptions,
): Promise<Hold> {
  const source = sourceOf(backup);
  const hold = await source.hold(backup, {
    ...options,
    onChange(change) {
      alarm.set(change);
      log(
        change === undefined
          ? "the backups are as they were when they were mounted: reads go on"
          : `reads of the backups fail from now on: ${change}. Stop the server and unmount`,
      );
    },
  });
  try {
    const change = await source.change(backup);
    if (change === undefined) return hold;
    throw new PbkfsError("BackupNotRestorable", {
      what: `The backup has changed while it was being mounted: ${change}`,
      todo: "Look at it, in a catalog with pg_probackup show, and mount again.",
    });
  } catch (error) {
    await hold.release();
    throw error;
  }
}
