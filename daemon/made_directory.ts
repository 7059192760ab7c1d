/**
 * A mount directory that was not there: it is made for the mount, and goes with it. The diff says so,
 * since who unmounts may be somebody else, long after.
 *
 * @module
 */

import { DIFF_NAMES, pathsIn, readPlainText, removeRest } from "../binding/mod.ts";
import { ERRNO, isDenied, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { asRoot, isRootBehind } from "../ffi/credentials.ts";
import { type Libc, OPEN, systemLibc } from "../ffi/libc.ts";
import { inParent } from "../ffi/open_beneath.ts";
import { absolute, realPathOf } from "../ffi/real_path.ts";
import type { PbkfsMount } from "./mount_table.ts";

const ROOT = 0;

/**
 * Makes a directory to mount on, if there is nothing; what it would lie in must be there. One that
 * root makes belongs to who owns what it lies in.
 *
 * @param options.isNamed Whether the path comes from who gives the command; if not, the diff named
 * it, and root makes nothing in its own directories.
 * @returns Its path without links; undefined if it was not made.
 * @throws {PbkfsError} `PermissionDenied`. What else is wrong with the place is for others to tell.
 */
export function makeMountDirectory(
  path: string,
  { isNamed }: { isNamed: boolean },
): string | undefined {
  try {
    const real = realPathOf(absolute(path));
    if (Deno.uid() === ROOT) return makeAsRoot(systemLibc(), real, isNamed) ? real : undefined;
    Deno.mkdirSync(real, { mode: 0o755 });
    return real;
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "PermissionDenied") throw error;
    if (!isDenied(error)) return undefined;
    throw new PbkfsError("PermissionDenied", {
      what: `The mount directory "${path}" is not there, and may not be made`,
      todo: `Let root make it and give it to you, or give another one with -D.`,
      cause: error,
    });
  }
}

function makeAsRoot(libc: Libc, path: string, isNamed: boolean): boolean {
  return inParent(libc, path, (made, parent) => {
    const { uid, gid } = libc.fstat(parent);
    if (uid === ROOT && !isNamed) return false;
    Deno.mkdirSync(made, { mode: 0o755 });
    const directory = libc.open(byteStringOf(made), OPEN.readOnly | OPEN.directory | OPEN.noFollow);
    try {
      if (libc.fstat(directory).uid === ROOT) libc.fchown(directory, { uid, gid });
    } finally {
      libc.close(directory);
    }
    return true;
  });
}

/** Removes a directory if it is empty; root is not led elsewhere by links. */
function removeDirectory(path: string): void {
  if (!isRootBehind()) return Deno.removeSync(path);
  asRoot(() => inParent(systemLibc(), path, (ownPath) => Deno.removeSync(ownPath)));
}

/**
 * Takes a directory away again that was made for a mount.
 *
 * @param path Without links.
 * @returns Why it could not be removed, if so: somebody may use it by now.
 */
export function unmakeMountDirectory(path: string): string | undefined {
  try {
    removeDirectory(path);
    return undefined;
  } catch (error) {
    return isMissing(error) ? undefined : (error as Error).message;
  }
}

/** Notes in the diff that the directory was made for its mount. */
export function noteMade({ diffPath, mountPath }: PbkfsMount): void {
  const markPath = pathsIn(diffPath).mountDirectory;
  // One that was made for an earlier mount elsewhere.
  removeMade({ diffPath, uid: Deno.statSync(diffPath).uid });
  removeRest(markPath);
  Deno.writeTextFileSync(markPath, mountPath, { mode: 0o600, createNew: true });
}

/**
 * Removes the directory that was made for a diff's mount, after that mount, as the diff tells. Root
 * believes that of a directory that lies in one of the diff's owner, who could remove it himself.
 *
 * @param mount.mountPath Only if it is this one.
 * @param mount.uid Only if it belongs to that user: who can write to the diff chooses the path.
 */
export function removeMade(
  { diffPath, mountPath, uid }: Pick<PbkfsMount, "diffPath"> & {
    readonly mountPath?: string;
    readonly uid?: number | null;
  },
): void {
  try {
    const made = readPlainText(diffPath, DIFF_NAMES.mountDirectory);
    if (made === undefined || (mountPath !== undefined && made !== mountPath)) return;
    const found = statIfAny(made);
    if (uid !== undefined && found !== undefined && found.uid !== uid) return;
    // Only a directory that is empty goes.
    if (found?.isDirectory === true && !removeAsToldBy(diffPath, made)) return;
    inParent(systemLibc(), pathsIn(diffPath).mountDirectory, (mark) => Deno.removeSync(mark));
  } catch {
    // It is in use by now, or not ours to remove: it stays, and so does the note.
  }
}

/** @returns false if root does not believe it. */
function removeAsToldBy(diffPath: string, path: string): boolean {
  return inParent(systemLibc(), path, (ownPath, parent) => {
    const { uid } = systemLibc().fstat(parent);
    if (Deno.uid() === ROOT && uid !== Deno.statSync(diffPath).uid) return false;
    Deno.removeSync(ownPath);
    return true;
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof PbkfsError && error.errno === ERRNO.ENOENT);
}

function statIfAny(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
