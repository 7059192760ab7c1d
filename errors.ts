/**
 * Every error that a caller or an operator can act on: its code, what the kernel hears, what the
 * shell sees, and the sentence that says what to do.
 *
 * @module
 */

/** Linux errno values, the same on x86_64 and aarch64. Source: asm-generic/errno*.h. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

/** The name of an errno, such as `ENOSPC`, or `errno 77` where we have none. */
export function errnoName(errno: number): string {
  const found = Object.entries(ERRNO).find(([, value]) => value === errno);
  return found === undefined ? `errno ${errno}` : found[0];
}

/** A row of {@link CODES}. */
export interface CodeRow {
  /** What the kernel hears. */
  readonly errno: number;
  /** What the shell sees. */
  readonly exitCode: number;
  /** When it happens, in a few words. */
  readonly when: string;
}

const row = (errno: number, exitCode: number, when: string): CodeRow => ({ errno, exitCode, when });

/** What the tens of an exit status tell. A script may look at them alone. */
export const DECADES = [
  { tens: 0, title: "usage" },
  { tens: 10, title: "not found" },
  { tens: 20, title: "backup refused" },
  { tens: 30, title: "diff refused" },
  { tens: 40, title: "busy" },
  { tens: 50, title: "this machine" },
  { tens: 60, title: "PostgreSQL" },
  { tens: 70, title: "pbkfs itself" },
] as const;

/**
 * One row a code; help, README and man page show this table. Exit codes stand in the decades of
 * {@link DECADES}. A released one is not given a new meaning.
 */
export const CODES = {
  Usage: row(ERRNO.EINVAL, 2, "the command line is wrong"),

  CatalogMissing: row(ERRNO.ENOENT, 10, "there is no catalog at that place"),
  InstanceMissing: row(ERRNO.ENOENT, 11, "there is no such instance, or several and none named"),
  BackupMissing: row(ERRNO.ENOENT, 12, "there is no such backup, or none that can be restored"),
  MountDirMissing: row(ERRNO.ENOENT, 13, "the mount directory does not exist"),
  NotMounted: row(ERRNO.ENOENT, 14, "nothing of pbkfs is mounted there"),
  DiffMissing: row(ERRNO.ENOENT, 15, "there is no diff at that place"),

  CatalogUnreadable: row(ERRNO.EIO, 20, "a file of the catalog cannot be read or understood"),
  BackupNotRestorable: row(ERRNO.EIO, 21, "the backup is corrupt, orphaned or unfinished"),
  ChainBroken: row(ERRNO.EIO, 22, "a backup that the chain needs is missing or does not fit"),
  VersionUnsupported: row(ERRNO.EIO, 23, "the backup is of an unknown version or format"),
  CodecUnsupported: row(ERRNO.EIO, 24, "the backup is compressed in a way that is not known"),
  StoreDamaged: row(ERRNO.EIO, 25, "stored files contradict their lists"),
  WalMissing: row(ERRNO.EIO, 26, "the archive lacks WAL that the backup needs"),

  DiffForeign: row(ERRNO.EINVAL, 30, "the diff belongs to another backup"),
  DiffMisplaced: row(ERRNO.EINVAL, 31, "the diff directory lies in the catalog or in the mount"),
  DiffVersion: row(ERRNO.EINVAL, 32, "the diff was written by another version of pbkfs"),
  DiffDamaged: row(ERRNO.EIO, 33, "the diff cannot be read, or has lost something"),
  DamageFound: row(ERRNO.EIO, 34, "verify has found damage in the diff"),

  DiffInUse: row(ERRNO.EBUSY, 40, "the diff is mounted already"),
  MountDirBusy: row(ERRNO.EBUSY, 41, "something is mounted there already"),
  MountDirNotEmpty: row(ERRNO.ENOTEMPTY, 42, "the mount directory is not empty"),
  MountBusy: row(ERRNO.EBUSY, 43, "the mount is in use and cannot be unmounted"),
  StoreLocked: row(ERRNO.EBUSY, 44, "pg_probackup has a backup locked, or a server runs there"),
  AddressUnusable: row(ERRNO.EBUSY, 45, "the address for metrics cannot be listened on"),
  MountKept: row(ERRNO.EBUSY, 46, "the mount is unmounted here, but kept elsewhere"),

  FuseDeviceMissing: row(ERRNO.ENODEV, 50, "there is no /dev/fuse, or we may not open it"),
  LibraryMissing: row(ERRNO.ENODEV, 51, "libfuse3 is not installed"),
  MountFailed: row(ERRNO.EIO, 52, "the kernel or fusermount3 refused the mount"),
  PermissionDenied: row(ERRNO.EACCES, 53, "a file or directory may not be read or written"),
  ProbackupFailed: row(ERRNO.EIO, 54, "the pg_probackup that was named cannot be run"),
  LimitTooLow: row(ERRNO.EMFILE, 55, "too few files may be open at a time"),
  DiskFull: row(ERRNO.ENOSPC, 56, "there is no room on the diff's disk, or no quota left"),

  PostgresFailed: row(ERRNO.EIO, 60, "a PostgreSQL server or tool failed"),

  Bug: row(ERRNO.EIO, 70, "an error that we did not foresee: please report it"),
  Io: row(ERRNO.EIO, 71, "the system failed to read or write"),
};

/** The name of a row of {@link CODES}. */
export type Code = keyof typeof CODES;

/** What an error says besides its code. */
export interface ErrorOptions {
  /** What was found, what was expected, and where. One sentence. */
  readonly what: string;
  /** What the operator can do. One sentence; empty for errors inside a request. */
  readonly todo?: string;
  /** Replaces the errno of the table, as when the diff's file system is full. */
  readonly errno?: number;
  /** What led here. */
  readonly cause?: unknown;
}

/** An error as data. */
export interface ErrorData {
  /** A row of {@link CODES}. */
  readonly code: Code;
  /** What was found. */
  readonly what: string;
  /** What can be done; may be empty. */
  readonly todo: string;
  /** What the kernel hears. */
  readonly errno: number;
  /** The messages of what led to it, the nearest first. */
  readonly causes?: readonly string[];
}

/** An error with a code. Its message is what was found; `todo` is what to do about it. */
export class PbkfsError extends Error {
  /** Always the same. */
  override readonly name = "PbkfsError";
  /** Which row of {@link CODES} it is. */
  readonly code: Code;
  /** What the kernel hears, if it happens in a request. */
  readonly errno: number;
  /** What the operator can do. One sentence, or empty. */
  readonly todo: string;

  /** An error of a kind, with what was found and what can be done. */
  constructor(code: Code, options: ErrorOptions) {
    super(plainText(options.what), options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.errno = options.errno ?? CODES[code].errno;
    this.todo = options.todo ?? "";
  }

  /** The status that the shell sees. */
  get exitCode(): number {
    return CODES[this.code].exitCode;
  }

  /** As data, to cross from the daemon to the command that started it. */
  toJSON(): ErrorData {
    const { code, message: what, todo, errno } = this;
    const causes: string[] = [];
    for (let next = this.cause; next instanceof Error; next = next.cause) causes.push(next.message);
    return { code, what, todo, errno, causes };
  }

  /** The inverse of {@link PbkfsError.toJSON}. An unknown code becomes `Bug`. */
  static fromJSON(data: Omit<ErrorData, "code"> & { readonly code: string }): PbkfsError {
    const { what, todo, errno, causes = [] } = data;
    const code = data.code in CODES ? (data.code as Code) : "Bug";
    const cause = causes.reduceRight<Error | undefined>(
      (inner, message) => new Error(message, inner && { cause: inner }),
      undefined,
    );
    return new PbkfsError(code, { what, todo, errno, cause });
  }
}

/** The errno for a request that failed with `error`: EIO unless the error says otherwise. */
export function errnoOf(error: unknown): number {
  return error instanceof PbkfsError ? error.errno : ERRNO.EIO;
}

/** ENOSPC or EDQUOT, if that is what an error is about; the runtime's own errors have a name for it. */
export function diskFullErrno(error: unknown): number | undefined {
  const { ENOSPC, EDQUOT } = ERRNO;
  if (error instanceof PbkfsError) return [ENOSPC, EDQUOT].find((errno) => errno === error.errno);
  const name = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return name === "ENOSPC" ? ENOSPC : name === "EDQUOT" ? EDQUOT : undefined;
}

/** Whether the system did not let us. */
export function isDenied(error: unknown): boolean {
  if (error instanceof Deno.errors.PermissionDenied) return true;
  const { errno, code } = (error ?? {}) as { readonly errno?: unknown; readonly code?: unknown };
  if (error instanceof PbkfsError) return errno === ERRNO.EACCES || errno === ERRNO.EPERM;
  return error instanceof Error && (code === "EACCES" || code === "EPERM");
}

/** A message without the number that the runtime adds: `(os error 2)` tells nobody anything. */
export function plainText(message: string): string {
  return message.replaceAll(/ \(os error \d+\)/g, "");
}

/** What an error of the system, which no part of ours has explained, means for who called us. */
const UNEXPLAINED: readonly Code[] = ["Io", "Bug"];

/**
 * Any thrown thing as a PbkfsError; what we did not foresee is a `Bug`, with its cause. If cleaning
 * up after a failure failed as well, the first failure gives the code, and both are told.
 */
export function toPbkfsError(error: unknown): PbkfsError {
  const isExplained = error instanceof PbkfsError && !UNEXPLAINED.includes(error.code);
  if (isDenied(error) && !isExplained) {
    const { message } = error as Error;
    return new PbkfsError("PermissionDenied", {
      what: error instanceof PbkfsError ? message : `The system refused: ${message}`,
      todo: "Do it as the owner of the file or directory, or as root.",
      cause: error,
    });
  }
  if (error instanceof PbkfsError) return error;
  if (error instanceof SuppressedError) {
    const [first, later] = [toPbkfsError(error.suppressed), toPbkfsError(error.error)];
    return new PbkfsError(first.code, {
      what: `${first.message}. Then, on the way out: ${later.message}`,
      todo: [...new Set([first.todo, later.todo])].filter((todo) => todo !== "").join(" "),
      errno: first.errno,
      cause: error,
    });
  }
  const what = error instanceof Error ? error.message : String(error);
  const errno = diskFullErrno(error);
  if (errno !== undefined) {
    const todo = "Free some space there, or raise the quota, and try again.";
    return new PbkfsError("DiskFull", { what, todo, errno, cause: error });
  }
  return new PbkfsError("Bug", {
    what: `Unexpected: ${what}`,
    todo: "Run the command again with --debug and report what it prints.",
    cause: error,
  });
}
