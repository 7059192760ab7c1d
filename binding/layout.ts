/**
 * The layout of a diff directory: each name in it, once.
 *
 * @module
 */

/** What pbkfs makes in a diff directory, and what it is for. */
export const DIFF_NAMES = {
  /** Says which backup the diff belongs to; written last, so it is there or the diff is not. */
  binding: ".pbkfs-binding.json",
  /** Locked by the process that has the diff mounted. */
  lock: ".pbkfs-lock",
  /** Names a mount directory that was made for the mount. */
  mountDirectory: ".pbkfs-mount-directory",
  /** Names, attributes, page maps: SQLite's file. See {@link besideStore}. */
  store: "metadata.sqlite",
  /** A directory: changed bytes. */
  data: "data",
  /** Keeps space for what was accepted. */
  reserve: "reserve",
  /** A directory: the clone's `pg_wal`. */
  wal: "wal",
  /** A directory: the WAL that the backup needs, until the diff has begun. */
  newWal: "wal.tmp",
  /** Where the mount's process listens. */
  socket: "control.sock",
  /** What that process says. */
  log: "pbkfs.log",
  /** A directory: data files that nothing names. mkfs makes one at the top of a file system, too. */
  lostAndFound: "lost+found",
} as const;

/** One of the names' meanings. */
export type DiffName = keyof typeof DIFF_NAMES;

/** Where everything in a diff is. */
export type DiffPaths = Readonly<Record<DiffName, string>>;

/** The paths in a diff directory. */
export function pathsIn(diffPath: string): DiffPaths {
  const paths = Object.entries(DIFF_NAMES).map(([name, file]) => [name, `${diffPath}/${file}`]);
  return Object.fromEntries(paths) as DiffPaths;
}

/** The files beside a metadata store: SQLite's log and its index, and how far commits have got. */
export function besideStore(storePath: string): {
  readonly log: string;
  readonly logIndex: string;
  readonly generation: string;
} {
  return {
    log: `${storePath}-wal`,
    logIndex: `${storePath}-shm`,
    generation: `${storePath}.generation`,
  };
}

/** What is written before it takes the place of a file. */
export function temporaryOf(path: string): string {
  return `${path}.tmp`;
}

const { binding, lock, mountDirectory, store, data, reserve, wal, newWal, socket, log } =
  DIFF_NAMES;
const PLAIN: ReadonlySet<string> = new Set([
  ...[binding, temporaryOf(binding), lock, mountDirectory, data, reserve, wal, newWal, socket],
]);
/** Logs of earlier days, under names that who moves them gives. */
const OF_LOG = new RegExp(`^${literal(log)}(\\.[\\w.-]+)?$`);
/** SQLite adds to the name of its file, and so do we. */
const OF_STORE = new RegExp(`^${literal(store)}.*$`);

/** Whether pbkfs makes a file or directory of that name in a diff; of strays, their own kind tells. */
export function isOurs(name: string): boolean {
  return PLAIN.has(name) || OF_STORE.test(name) || OF_LOG.test(name);
}

/** Whether fsck puts files of that name into a directory of strays: they are not ours. */
export function isOfFsck(name: string): boolean {
  return /^#\d+$/.test(name);
}

function literal(text: string): string {
  return text.replaceAll(".", "\\.");
}
