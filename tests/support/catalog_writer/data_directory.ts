/**
 * What pg_probackup takes of a data directory.
 *
 * @module
 */

/** A file or directory to back up. */
export interface FoundFile {
  /** Relative to the data directory. */
  readonly path: string;
  readonly fullPath: string;
  readonly mode: number;
  readonly isDirectory: boolean;
  /** Stored by page: a main fork. */
  readonly isDataFile: boolean;
  readonly databaseOid: number;
  readonly segment: number;
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** Directories that are backed up without what is in them, wherever they are. */
const EMPTIED = new Set([
  ...["pg_wal", "pg_stat_tmp", "pgsql_tmp", "pg_replslot", "pg_dynshmem", "pg_notify"],
  ...["pg_serial", "pg_snapshots", "pg_subtrans", "log"],
]);
/** Files at the top that are left out. `backup_manifest` is of pg_basebackup. */
const LEFT_OUT = new Set([
  ...["postgresql.auto.conf.tmp", "current_logfiles.tmp", "recovery.conf", "postmaster.pid"],
  ...["postmaster.opts", "probackup_recovery.conf", "recovery.signal", "standby.signal"],
  ...["backup_label", "tablespace_map", "database_map", "backup_manifest"],
]);
const DATABASE_DIR = /^(?:base|pg_tblspc\/\d+\/PG_[^/]+)\/(\d+)$/;
const MAIN_FORK = /^[1-9]\d{0,9}(?:\.([1-9]\d*))?$/;

/** Lists a data directory, tablespaces as if they were in `pg_tblspc`. */
export function listDataDirectory(rootPath: string): FoundFile[] {
  return listBelow(rootPath, "");
}

function listBelow(rootPath: string, dir: string): FoundFile[] {
  const oid = Number(DATABASE_DIR.exec(dir)?.[1] ?? 0);
  const holdsRelations = oid > 0 || dir === "global";
  const names = [...Deno.readDirSync(`${rootPath}/${dir}`)].map(({ name }) => name).sort();
  const all = new Set(names);
  return names.flatMap((name): FoundFile[] => {
    if (name.startsWith(".") || name === "pg_internal.init") return [];
    if (dir === "" && LEFT_OUT.has(name)) return [];
    if (holdsRelations && isLeftOutRelation(name, all)) return [];
    const path = dir === "" ? name : `${dir}/${name}`;
    const fullPath = `${rootPath}/${path}`;
    const { isDirectory, isFile, mode, size, mtime } = Deno.statSync(fullPath);
    if (!isDirectory && !isFile) return [];
    const main = holdsRelations && isFile ? MAIN_FORK.exec(name) : null;
    const found: FoundFile = {
      path,
      fullPath,
      mode: mode ?? 0,
      isDirectory,
      isDataFile: main !== null,
      databaseOid: isDirectory ? Number(DATABASE_DIR.exec(path)?.[1] ?? 0) : oid,
      segment: Number(main?.[1] ?? 0),
      sizeBytes: isFile ? size : 0,
      modifiedAt: mtime?.getTime() ?? 0,
    };
    return isDirectory && !EMPTIED.has(name) ? [found, ...listBelow(rootPath, path)] : [found];
  });
}

/** Temporary relations, and those parts of unlogged ones that a start makes anew. */
function isLeftOutRelation(name: string, all: ReadonlySet<string>): boolean {
  if (/^t\d+_\d+/.test(name)) return true;
  const unlogged = /^(\d+)(?:_fsm)?(?:\.\d+)?$/.exec(name);
  return unlogged !== null && all.has(`${unlogged[1]}_init`);
}

/** Lists an external directory. Nothing there is a data file. */
export function listExternal(rootPath: string): FoundFile[] {
  const below = (dir: string): FoundFile[] =>
    [...Deno.readDirSync(`${rootPath}/${dir}`)].flatMap(({ name }) => {
      const path = dir === "" ? name : `${dir}/${name}`;
      const { isDirectory, mode, size, mtime } = Deno.statSync(`${rootPath}/${path}`);
      const found: FoundFile = {
        path,
        fullPath: `${rootPath}/${path}`,
        mode: mode ?? 0,
        isDirectory,
        isDataFile: false,
        databaseOid: 0,
        segment: 0,
        sizeBytes: isDirectory ? 0 : size,
        modifiedAt: mtime?.getTime() ?? 0,
      };
      return isDirectory ? [found, ...below(path)] : [found];
    });
  return below("");
}
