/**
 * One list of backups made of two: what pg_probackup says of them, and what their control files
 * say. What the two do not say alike is served to nobody.
 *
 * @module
 */

import type { BackupInfo } from "./chain_spec.ts";
import type { FoundBackup } from "./control_catalog.ts";

/** What decides how a backup is put together. The rest is for people to read. */
const FACTS = {
  mode: "backup-mode",
  stream: "stream",
  parentId: "parent-backup-id",
  compressAlg: "compress-alg",
  blockSizeBytes: "block-size",
  walBlockSizeBytes: "xlog-block-size",
  checksumVersion: "checksum-version",
  programVersion: "program-version",
  serverVersion: "server-version",
  timeline: "timelineid",
  startLsn: "start-lsn",
  stopLsn: "stop-lsn",
  contentCrc: "content-crc",
  externalDirs: "external-dirs",
} as const satisfies Partial<Record<keyof BackupInfo, string>>;
type Fact = keyof typeof FACTS;

const GOOD = ["OK", "DONE"];

/**
 * Puts two readings of an instance together.
 *
 * @param own What the control files say.
 * @param shown What the program says.
 * @returns The backups of both, oldest first. One that only one of them knows, or of which they say
 * different things, is unreadable. Of two statuses the one that keeps it from being served counts.
 */
export function agreed(
  own: readonly FoundBackup[],
  shown: readonly FoundBackup[],
): FoundBackup[] {
  const left = new Map(own.map((backup) => [keyOf(backup), backup]));
  const both = shown.map((backup) => {
    const key = keyOf(backup);
    const known = left.get(key);
    left.delete(key);
    return known === undefined ? without(backup, ONLY_SHOWN) : joined(known, backup);
  });
  const others = [...left.values()].map((backup) => without(backup, ONLY_OWN));
  return [...both, ...others].sort((a, b) => a.info.startTime - b.info.startTime);
}

const ONLY_SHOWN = "pg_probackup lists it, but no directory of the instance holds it";
const ONLY_OWN = "its control file is there, but pg_probackup does not list it";

/** The rest of a merge has the id of the backup that it became. */
function keyOf({ info: { id, status } }: FoundBackup): string {
  return status === "MERGED" ? `${id} MERGED` : id;
}

function without(backup: FoundBackup, why: string): FoundBackup {
  return { info: backup.info, unreadable: backup.unreadable ?? why };
}

function joined(own: FoundBackup, shown: FoundBackup): FoundBackup {
  const { dirPath } = own.info;
  const status = GOOD.includes(own.info.status) ? shown.info.status : own.info.status;
  const info: BackupInfo = { ...own.info, ...told(shown.info), dirPath, status };
  if (own.unreadable !== undefined) return { info, unreadable: own.unreadable };
  const different = (Object.keys(FACTS) as Fact[]).find((fact) => info[fact] !== own.info[fact]);
  if (different === undefined) return { info };
  const written = own.info[different] ?? "nothing";
  return {
    info,
    unreadable: `pg_probackup says that its ${FACTS[different]} is ${info[different]}, but ` +
      `"${dirPath}/backup.control" says ${written}; --pg-probackup none goes by the file`,
  };
}

/** An older program does not tell everything: what it leaves out is empty or zero. */
function told(info: BackupInfo): Partial<BackupInfo> {
  const entries = Object.entries(info);
  return Object.fromEntries(
    entries.filter(([key, value]) => !(key in FACTS) || (value !== "" && value !== 0)),
  );
}
