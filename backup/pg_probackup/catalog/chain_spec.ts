/**
 * A chain of backups as plain data: it crosses to a worker and into JSON without loss.
 *
 * @module
 */

import type { ByteString } from "../../../ffi/bytes.ts";

/** How the pages of a backup were chosen. It has no influence on what a restore writes. */
export type BackupMode = "FULL" | "PAGE" | "DELTA" | "PTRACK";

/** One backup of a catalog, as its control file or `pg_probackup show` describes it. */
export interface BackupInfo {
  /** Base36 of the start time in seconds: the identity, whatever the directory is called. */
  readonly id: string;
  /** Absolute path of the directory with `backup.control`. */
  readonly dirPath: string;
  /** As written, in capitals; {@link BackupMode} in every backup that can be served. */
  readonly mode: string;
  /** The WAL needed lies inside the backup, not in the archive. */
  readonly stream: boolean;
  /** Default of the backup; each file of the list has its own. In lower case. */
  readonly compressAlg: string;
  /** Of that algorithm; 0 without one. */
  readonly compressLevel: number;
  /** Whether it was taken from a standby. */
  readonly fromReplica: boolean;
  /** Of data files. */
  readonly blockSizeBytes: number;
  /** Of WAL files. */
  readonly walBlockSizeBytes: number;
  /** 1 with data checksums, 0 without. */
  readonly checksumVersion: number;
  /** Of pg_probackup, such as `2.5.16`; empty if not told. */
  readonly programVersion: string;
  /** Of PostgreSQL, such as `15` or `9.6`. */
  readonly serverVersion: string;
  /** PostgreSQL's timeline. */
  readonly timeline: number;
  /** As PostgreSQL prints it: `0/16B3748`. */
  readonly startLsn: string;
  /** Where the WAL that it needs ends, in the same form. */
  readonly stopLsn: string;
  /** Milliseconds since 1970, in UTC; so are all times here. */
  readonly startTime: number;
  /** When it ended. */
  readonly endTime?: number;
  /** The earliest time that a recovery from this backup can reach. */
  readonly recoveryTime?: number;
  /** Until when it is pinned. */
  readonly expireTime?: number;
  /** In capitals; `UNKNOWN` if there is no readable control file. */
  readonly status: string;
  /** The backup that it is based on; missing for FULL. */
  readonly parentId?: string;
  /** CRC32C of `backup_content.control`; missing if it is not to be checked. */
  readonly contentCrc?: number;
  /** `/a:/b`, in no particular order. */
  readonly externalDirs?: ByteString;
  /** Stored, without WAL. */
  readonly dataBytes?: number;
  /** Of WAL in the backup. */
  readonly walBytes?: number;
  /** Of the data directory, as a restore writes it. */
  readonly pgdataBytes?: number;
  /** What the operator has written to it. */
  readonly note?: string;
}

/** What `pg_probackup.conf` tells of an instance. */
export interface InstanceSettings {
  /** Of a segment of WAL. */
  readonly walSegmentBytes: number;
  /** Of the cluster, in decimal digits. */
  readonly systemIdentifier?: string;
}

/** A chain that can be served. */
export interface ChainSpec extends InstanceSettings {
  /** Absolute, without symbolic links. */
  readonly catalogPath: string;
  /** Its name in the catalog. */
  readonly instance: string;
  /** Who told: the program and the control files alike, or the control files alone. */
  readonly source: "pg_probackup" | "control files";
  /** From the FULL backup to dest, the one asked for; never empty. */
  readonly members: readonly BackupInfo[];
  /** For the operator, if there is something to know about how it was found. */
  readonly notes?: readonly string[];
}

/** The backup asked for: the last member. */
export function destOf(spec: ChainSpec): BackupInfo {
  const dest = spec.members.at(-1);
  if (dest === undefined) throw new TypeError("A chain has at least one member");
  return dest;
}
