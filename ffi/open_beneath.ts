/**
 * Opens what others have laid out, without being led anywhere by it: below a directory that is
 * open, through no symbolic link, and without waiting for a pipe or taking a terminal.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { type ByteString, byteStringOf, printable } from "./bytes.ts";
import { TYPE } from "./file_type.ts";
import { type Fd, type FileStatus, type Libc, OPEN, RESOLVE } from "./libc.ts";

/** A file that is open, and what it is. */
export interface OpenedFile {
  readonly fd: Fd;
  readonly status: FileStatus;
}

const BENEATH = RESOLVE.beneath | RESOLVE.noSymlinks | RESOLVE.noMagicLinks;
/** For a file to read: a pipe without a writer opens at once, a terminal stays whose it is. */
const READING = OPEN.readOnly | OPEN.nonBlocking | OPEN.noTerminal | OPEN.noFollow;
/** To go on from: a directory that may be passed through need not be readable. */
const PASSING = OPEN.pathOnly | OPEN.directory | OPEN.noFollow;

/** Kernels before 5.6 have no openat2; sandboxes may answer EPERM to what they do not know. */
const UNSUPPORTED: readonly number[] = [ERRNO.ENOSYS, ERRNO.EPERM];
const withoutOpenat2 = new WeakSet<Libc>();

/**
 * Opens a path below a directory.
 *
 * @param path Relative, without empty parts, `.` and `..`.
 * @throws {PbkfsError} `Io`, with ELOOP or ENOTDIR for a symbolic link on the way.
 */
function openBeneath(libc: Libc, directory: Fd, path: ByteString, flags: number): Fd {
  if (!withoutOpenat2.has(libc)) {
    try {
      return libc.openResolved(directory, path, flags, BENEATH);
    } catch (error) {
      if (!(error instanceof PbkfsError) || !UNSUPPORTED.includes(error.errno)) throw error;
      if (error.errno === ERRNO.ENOSYS) withoutOpenat2.add(libc);
    }
  }
  return openStepwise(libc, directory, path, flags);
}

/** The same for kernels without openat2: one part of the path after another. */
function openStepwise(libc: Libc, directory: Fd, path: ByteString, flags: number): Fd {
  const parts = path.split("/") as ByteString[];
  const last = parts.pop() as ByteString;
  if ([...parts, last].some((part) => part === "" || part === "." || part === "..")) {
    throw new PbkfsError("Io", { what: `"${path}" is no plain path`, errno: ERRNO.EXDEV });
  }
  let at = directory;
  try {
    for (const part of parts) {
      const next = libc.openAt(at, part, PASSING);
      if (at !== directory) libc.close(at);
      at = next;
    }
    return libc.openAt(at, last, flags | OPEN.noFollow);
  } finally {
    if (at !== directory) libc.close(at);
  }
}

/** Opens a directory below another one, as {@link openBeneath}. */
export function openDirectoryBeneath(libc: Libc, directory: Fd, path: ByteString): Fd {
  return openBeneath(libc, directory, path, OPEN.readOnly | OPEN.directory);
}

/**
 * Opens a file for reading, as {@link openBeneath}. It returns at once, whatever is there.
 *
 * @returns undefined if it is no regular file.
 */
export function openFileBeneath(
  libc: Libc,
  directory: Fd,
  path: ByteString,
): OpenedFile | undefined {
  let fd: Fd;
  try {
    fd = openBeneath(libc, directory, path, READING);
  } catch (error) {
    // What a socket answers, and a device without a driver.
    if (error instanceof PbkfsError && error.errno === ERRNO.ENXIO) return undefined;
    throw error;
  }
  try {
    const status = libc.fstat(fd);
    if ((status.mode & TYPE.mask) === TYPE.file) return { fd, status };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  libc.close(fd);
  return undefined;
}

/**
 * Opens a directory by its absolute path, through no symbolic link.
 *
 * @param path Absolute, as realpath(3) gives it.
 */
export function openPlainDirectory(libc: Libc, path: ByteString, flags: number): Fd {
  if (path === "/") return libc.open(path, flags | OPEN.directory);
  const root = libc.open("/" as ByteString, OPEN.pathOnly | OPEN.directory);
  try {
    return openBeneath(libc, root, path.slice(1) as ByteString, flags | OPEN.directory);
  } finally {
    libc.close(root);
  }
}

/**
 * Calls `use` with a name for what is at `path`, or would be, that nobody can make stand for
 * something else: by the descriptor of the directory that it lies in.
 *
 * @param path Absolute, as realpath(3) gives it.
 * @throws As {@link openPlainDirectory}.
 */
export function inParent<T>(libc: Libc, path: string, use: (ownPath: string, parent: Fd) => T): T {
  const slash = path.lastIndexOf("/");
  const parent = openPlainDirectory(libc, byteStringOf(path.slice(0, slash) || "/"), OPEN.pathOnly);
  try {
    return use(`/proc/self/fd/${parent}${path.slice(slash)}`, parent);
  } finally {
    libc.close(parent);
  }
}

/** Who owns a directory. @throws As {@link openPlainDirectory}. */
export function ownerOfDirectory(
  libc: Libc,
  path: ByteString,
): { readonly uid: number; readonly gid: number } {
  const fd = openPlainDirectory(libc, path, OPEN.pathOnly);
  try {
    const { uid, gid } = libc.fstat(fd);
    return { uid, gid };
  } finally {
    libc.close(fd);
  }
}

/** What the system answers of a link, a directory, and a socket, where a file is to be opened. */
const NO_FILE: readonly number[] = [ERRNO.ELOOP, ERRNO.EISDIR, ERRNO.ENXIO];

/**
 * Opens a file of a diff by its path. It returns at once, whatever has been put in its place.
 *
 * @param flags More than {@link OPEN.noFollow} and {@link OPEN.nonBlocking}, which it has anyway.
 * @throws {PbkfsError} `DiffDamaged` if it is no regular file; `Io` with the errno.
 */
export function openDiffFile(libc: Libc, path: ByteString, flags: number, mode = 0): Fd {
  let fd: Fd;
  try {
    fd = libc.open(path, flags | OPEN.noFollow | OPEN.nonBlocking, mode);
  } catch (error) {
    if (error instanceof PbkfsError && NO_FILE.includes(error.errno)) throw noFile(path, error);
    throw error;
  }
  try {
    if ((libc.fstat(fd).mode & TYPE.mask) !== TYPE.file) throw noFile(path);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function noFile(path: ByteString, cause?: unknown): PbkfsError {
  return new PbkfsError("DiffDamaged", {
    what: `"${printable(path)}" is not a regular file, but a link, a directory, a pipe or the like`,
    todo: "Put the file back, from a copy of the diff if there is one; or begin a new diff.",
    cause,
  });
}
