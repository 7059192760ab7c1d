/**
 * The files in the diff that hold changed bytes, and a bounded number of open descriptors.
 *
 * @module
 */

import { DIFF_NAMES } from "../../binding/mod.ts";
import { ERRNO, errnoOf, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Fd, type Libc, OPEN } from "../../ffi/libc.ts";
import { openDiffFile } from "../../ffi/open_beneath.ts";
import type { DataId } from "../store/metadata_store.ts";
import type { SpareFiles } from "./spare_files.ts";

/** Descriptors that stay open, unless a caller says otherwise. */
const OPEN_MAX = 512;

/** The name of a data file. Sixteen digits, so that names sort as numbers do. */
export function dataFileName(id: DataId): ByteString {
  return id.toString(16).padStart(16, "0") as ByteString;
}

/** The path of a data file. */
export function dataFilePath(directory: ByteString, id: DataId): ByteString {
  return `${directory}/${dataFileName(id)}` as ByteString;
}

/** Opens, makes and closes data files. A descriptor is valid until the next call. */
export class DataFiles {
  readonly #libc: Libc;
  readonly #directory: ByteString;
  readonly #openMax: number;
  /** Least recently used first. */
  readonly #open = new Map<DataId, Fd>();
  /** The one used last, which is most often used next. */
  #lastId: DataId | undefined;
  #lastFd = -1 as Fd;
  readonly directoryFd: Fd;
  /** A name was added to the directory, which has not been synced since. */
  directoryChanged = false;
  /** The last file that was to be made could not be, on a full disk. */
  isOutOfFiles = false;
  /** Whether a spare file may become one that cannot be made. */
  mayUseSpares = false;
  readonly #spares: SpareFiles | undefined;

  constructor(options: {
    readonly libc: Libc;
    readonly directory: ByteString;
    readonly openMax?: number;
    readonly spares?: SpareFiles | undefined;
  }) {
    this.#libc = options.libc;
    this.#directory = options.directory;
    this.#spares = options.spares;
    this.#openMax = options.openMax ?? OPEN_MAX;
    this.directoryFd = options.libc.open(this.#directory, OPEN.readOnly | OPEN.directory);
  }

  /**
   * Makes an empty file, which is no link, no pipe and nobody else's. What lies under that name is
   * never cut, nor removed: numbers are not used twice, so it is not ours.
   *
   * @throws {PbkfsError} `DiffDamaged` if there is something; `Io` with the errno.
   */
  create(id: DataId): Fd {
    this.isOutOfFiles = false;
    const flags = OPEN.readWrite | OPEN.create | OPEN.exclusive;
    try {
      const fd = this.#remember(id, (path) => this.#libc.open(path, flags, 0o600));
      this.directoryChanged = true;
      return fd;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === ERRNO.EEXIST) throw inTheWay(id, error);
      this.isOutOfFiles = errno === ERRNO.ENOSPC || errno === ERRNO.EDQUOT;
      const path = dataFilePath(this.#directory, id);
      if (!this.isOutOfFiles || !this.mayUseSpares || !this.#spares?.become(path)) throw error;
      this.directoryChanged = true;
      return this.#remember(id, (path) => this.#reopen(path));
    }
  }

  fd(id: DataId): Fd {
    if (id === this.#lastId) return this.#lastFd;
    const known = this.#open.get(id);
    if (known === undefined) return this.#existing(id);
    this.#open.delete(id);
    this.#open.set(id, known);
    this.#lastId = id;
    this.#lastFd = known;
    return known;
  }

  /** Closes a file's descriptor, as before the file is deleted. */
  forget(id: DataId): void {
    const fd = this.#open.get(id);
    if (fd === undefined) return;
    if (id === this.#lastId) this.#lastId = undefined;
    this.#open.delete(id);
    this.#libc.close(fd);
  }

  /** Deletes a file that nothing has pointed at. One that stays is put aside at the next mount. */
  discard(id: DataId): void {
    this.forget(id);
    try {
      this.#libc.unlink(dataFilePath(this.#directory, id));
    } catch {
      // The next mount finds it.
    }
  }

  close(): void {
    for (const id of [...this.#open.keys()]) this.forget(id);
    this.#libc.close(this.directoryFd);
  }

  #existing(id: DataId): Fd {
    try {
      return this.#remember(id, (path) => this.#reopen(path));
    } catch (error) {
      if (errnoOf(error) !== ERRNO.ENOENT) throw error;
      // Of the clone, the file is there.
      throw new PbkfsError("DiffDamaged", {
        what: `Data file ${dataFileName(id)} of the diff is missing`,
        todo: "Unmount, and look at it with: pbkfs verify.",
        cause: error,
      });
    }
  }

  #remember(id: DataId, open: (path: ByteString) => Fd): Fd {
    if (this.#open.size >= this.#openMax) this.forget(this.#open.keys().next().value as DataId);
    const fd = open(dataFilePath(this.#directory, id));
    this.#open.set(id, fd);
    return fd;
  }

  #reopen(path: ByteString): Fd {
    return openDiffFile(this.#libc, path, OPEN.readWrite);
  }
}

function inTheWay(id: DataId, cause: unknown): PbkfsError {
  return new PbkfsError("DiffDamaged", {
    what: `Something lies in the diff where data file ${dataFileName(id)} is to be made`,
    todo: `Mount again: what nothing names goes to ${DIFF_NAMES.lostAndFound} then.`,
    cause,
  });
}
