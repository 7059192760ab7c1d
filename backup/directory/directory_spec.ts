/**
 * A data directory that can be served, as plain data.
 *
 * @module
 */

/** What a source keeps of it from the command to the threads of a mount. */
export interface DirectorySpec {
  /** Absolute, without symbolic links. */
  readonly dirPath: string;
  /** See `fingerprintOf`. */
  readonly fingerprint: number;
  /** Where recovery begins, as PostgreSQL prints it. */
  readonly start: string;
  readonly timeline: number;
  /** It was shut down, so recovery ends where it begins. */
  readonly isShutDown: boolean;
  /** What WAL there must be besides, as PostgreSQL prints it. */
  readonly walRanges: readonly { readonly start: string; readonly end: string }[];
  /** Files that change when a server starts, as they were. */
  readonly watched: readonly WatchedFile[];
}

/** A file as it was; without a size, it was not there. */
export interface WatchedFile {
  readonly path: string;
  readonly sizeBytes?: number;
  /** In milliseconds since 1970. */
  readonly modifiedAt?: number;
}
