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

/**
 * One line a code. Exit codes stand in decades, so that a script may look at the tens alone:
 * 10 not found, 20 store refused, 30 binding conflict, 40 busy, 50 environment, 60 PostgreSQL,
 * 70 ours. A released exit code is not given a new meaning.
 */
export const CODES = {
  Usage: { errno: ERRNO.EINVAL, exitCode: 2 },

  CatalogMissing: { errno: ERRNO.ENOENT, exitCode: 10 },
  InstanceMissing: { errno: ERRNO.ENOENT, exitCode: 11 },
  BackupMissing: { errno: ERRNO.ENOENT, exitCode: 12 },
  MountDirMissing: { errno: ERRNO.ENOENT, exitCode: 13 },
  NotMounted: { errno: ERRNO.ENOENT, exitCode: 14 },

  CatalogUnreadable: { errno: ERRNO.EIO, exitCode: 20 },
  BackupNotRestorable: { errno: ERRNO.EIO, exitCode: 21 },
  ChainBroken: { errno: ERRNO.EIO, exitCode: 22 },
  VersionUnsupported: { errno: ERRNO.EIO, exitCode: 23 },
  CodecUnsupported: { errno: ERRNO.EIO, exitCode: 24 },
  StoreDamaged: { errno: ERRNO.EIO, exitCode: 25 },
  WalMissing: { errno: ERRNO.EIO, exitCode: 26 },

  DiffForeign: { errno: ERRNO.EINVAL, exitCode: 30 },
  DiffMisplaced: { errno: ERRNO.EINVAL, exitCode: 31 },
  DiffVersion: { errno: ERRNO.EINVAL, exitCode: 32 },
  DiffDamaged: { errno: ERRNO.EIO, exitCode: 33 },

  DiffInUse: { errno: ERRNO.EBUSY, exitCode: 40 },
  MountDirBusy: { errno: ERRNO.EBUSY, exitCode: 41 },
  MountDirNotEmpty: { errno: ERRNO.ENOTEMPTY, exitCode: 42 },
  MountBusy: { errno: ERRNO.EBUSY, exitCode: 43 },

  FuseDeviceMissing: { errno: ERRNO.ENODEV, exitCode: 50 },
  LibraryMissing: { errno: ERRNO.ENODEV, exitCode: 51 },
  MountFailed: { errno: ERRNO.EIO, exitCode: 52 },
  PermissionDenied: { errno: ERRNO.EACCES, exitCode: 53 },
  ProbackupFailed: { errno: ERRNO.EIO, exitCode: 54 },

  PostgresFailed: { errno: ERRNO.EIO, exitCode: 60 },

  Bug: { errno: ERRNO.EIO, exitCode: 70 },
  Io: { errno: ERRNO.EIO, exitCode: 71 },
} as const;

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

/** An error with a code. Its message is what was found; `todo` is what to do about it. */
export class PbkfsError extends Error {
  override readonly name = "PbkfsError";
  readonly code: Code;
  readonly errno: number;
  readonly todo: string;

  constructor(code: Code, options: ErrorOptions) {
    super(options.what, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.errno = options.errno ?? CODES[code].errno;
    this.todo = options.todo ?? "";
  }

  /** The status that the shell sees. */
  get exitCode(): number {
    return CODES[this.code].exitCode;
  }

  /** As data, to cross from the daemon to the command that started it. */
  toJSON(): { code: Code; what: string; todo: string; errno: number } {
    return { code: this.code, what: this.message, todo: this.todo, errno: this.errno };
  }

  /** The inverse of {@link PbkfsError.toJSON}. An unknown code becomes `Bug`. */
  static fromJSON(data: { code: string; what: string; todo: string; errno: number }): PbkfsError {
    const code = data.code in CODES ? (data.code as Code) : "Bug";
    return new PbkfsError(code, { what: data.what, todo: data.todo, errno: data.errno });
  }
}

/** The errno for a request that failed with `error`: EIO unless the error says otherwise. */
export function errnoOf(error: unknown): number {
  return error instanceof PbkfsError ? error.errno : ERRNO.EIO;
}

/** Any thrown thing as a PbkfsError; what we did not foresee is a `Bug`, with its cause. */
export function toPbkfsError(error: unknown): PbkfsError {
  if (error instanceof PbkfsError) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new PbkfsError("Bug", {
    what: `Unexpected: ${what}`,
    todo: "Run the command again with --debug and report what it prints.",
    cause: error,
  });
}
