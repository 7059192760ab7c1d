/**
 * The WAL plan of a backup: the files that recovery needs, and where each is.
 *
 * @module
 */

/** A file to put into `pg_wal`. */
export interface WalFile {
  /** What it is called there. */
  readonly name: string;
  /** Where it is in the store. */
  readonly sourcePath: string;
  /** It has to be unpacked. */
  readonly isGzip: boolean;
  /** Length in `pg_wal`; missing if it is not known before. */
  readonly sizeBytes?: number;
  /** Permission bits; 0600 if left out, as `pg_probackup archive-get` gives them. */
  readonly mode?: number;
}

/** The WAL that a backup needs. */
export interface WalPlan {
  readonly files: readonly WalFile[];
}
