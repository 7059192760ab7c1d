/**
 * The files of a data directory that do not belong to a copy of it.
 *
 * @see excludeFiles and excludeDirContents in PostgreSQL, src/backend/backup/basebackup.c
 * @module
 */

/**
 * Files at the top: of the server that ran there; of a recovery that was asked for there, since a
 * clone is no standby and waits for none; and the map of tablespaces, which would lead recovery to
 * the original's.
 */
const FILES: readonly string[] = [
  ...["postmaster.pid", "postmaster.opts", "postgresql.auto.conf.tmp", "current_logfiles.tmp"],
  ...["recovery.signal", "standby.signal", "recovery.conf", "recovery.done"],
  ...["tablespace_map", "tablespace_map.old", "backup_label.old"],
];

/**
 * Of a server whose socket is in its data directory, as a clone's may be. The number in it is that of
 * a process; where another one has it, or has not quite ended, no server starts.
 */
const SOCKET_LOCK = /^\.s\.PGSQL\.\d+\.lock$/;

/** Directories of which only themselves are there: a server makes what is in them anew. */
const EMPTY_DIRECTORIES: readonly string[] = [
  ...["pg_stat_tmp", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots"],
  "pg_subtrans",
];

/** Where WAL is; a mount has a directory of its own for that. */
export const WAL_DIRECTORY = "pg_wal";

/** Whether a file or directory is left out with all that is in it. @param path In the directory. */
export function isLeftOut(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return FILES.includes(path) || SOCKET_LOCK.test(path) || name.startsWith("pgsql_tmp") ||
    name.startsWith("pg_internal.init");
}

/** Whether a directory is there without what is in it. */
export function isEmptied(path: string): boolean {
  return path === WAL_DIRECTORY || EMPTY_DIRECTORIES.includes(path);
}

/** Whether pages of the file are what a server writes: main forks of tables and indexes. */
export function isDataFile(path: string): boolean {
  return /^(global|base\/\d+|pbkfs_tablespaces\/\d+\/[^/]+\/\d+)\/\d+(\.\d+)?$/.test(path);
}
