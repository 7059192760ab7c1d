/**
 * A chain of backups as plain data: it crosses to a worker and into JSON without loss.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";

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
  readonly compressLevel: number;
  readonly fromReplica: boolean;
  readonly blockSizeBytes: number;
  readonly walBlockSizeBytes: number;
  /** 1 with data checksums, 0 without. */
  readonly checksumVersion: number;
  /** Of pg_probackup, such as `2.5.16`; empty if not told. */
  readonly programVersion: string;
  /** Of PostgreSQL, such as `15` or `9.6`. */
  readonly serverVersion: string;
  readonly timeline: number;
  /** As PostgreSQL prints it: `0/16B3748`. */
  readonly startLsn: string;
  readonly stopLsn: string;
  /** Milliseconds since 1970, in UTC; so are all times here. */
  readonly startTime: number;
  readonly endTime?: number;
  /** The earliest time that a recovery from this backup can reach. */
  readonly recoveryTime?: number;
  readonly expireTime?: number;
  /** In capitals; `UNKNOWN` if there is no readable control file. */
  readonly status: string;
  readonly parentId?: string;
  /** CRC32C of `backup_content.control`; missing if it is not to be checked. */
  readonly contentCrc?: number;
  /** `/a:/b`, in no particular order. */
  readonly externalDirs?: ByteString;
  readonly dataBytes?: number;
  readonly walBytes?: number;
  readonly pgdataBytes?: number;
  readonly note?: string;
}

/** What `pg_probackup.conf` tells of an instance. */
export interface InstanceSettings {
  readonly walSegmentBytes: number;
  /** Of the cluster, in decimal digits. */
  readonly systemIdentifier?: string;
}

/** A chain that can be served. */
export interface ChainSpec extends InstanceSettings {
  /** Absolute, without symbolic links. */
  readonly catalogPath: string;
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
