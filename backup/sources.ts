/**
 * The kinds of backups that there are. Nothing else knows all of them.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { DIRECTORY } from "./directory/source.ts";
import { PG_PROBACKUP } from "./pg_probackup/source.ts";
import type { BackupRef, BackupSource } from "./tree/source.ts";

export { DIRECTORY, PG_PROBACKUP };

/** Each opens only what it has found itself, so who has a {@link BackupRef} need not know more. */
type AnySource = BackupSource<unknown, never>;

const SOURCES: readonly AnySource[] = [PG_PROBACKUP as AnySource, DIRECTORY as AnySource];

/**
 * The source of a backup, or of a diff's backup.
 *
 * @throws {PbkfsError} `DiffVersion` if there is no such kind.
 */
export function sourceOf({ kind }: Pick<BackupRef, "kind">): AnySource {
  const found = SOURCES.find((source) => source.kind === kind);
  if (found !== undefined) return found;
  throw new PbkfsError("DiffVersion", {
    what: `The diff is of a backup of the kind ${JSON.stringify(kind)}; this pbkfs knows ` +
      SOURCES.map((source) => source.kind).join(", "),
    todo: "Mount this diff with the pbkfs that wrote it.",
  });
}

/** What people call the place of backups of a kind, which may be one that we do not know. */
export function placeNameOf(kind: string | undefined): string {
  return SOURCES.find((source) => source.kind === kind)?.placeName ?? PG_PROBACKUP.placeName;
}

/** The id of the backup itself: the last of what its bytes come from. */
export function backupIdOf({ identity }: BackupRef): string {
  return identity.members.at(-1)!.id;
}
