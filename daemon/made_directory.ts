/**
 * A mount directory that was not there: it is made for the mount, and goes with it. The diff says so,
 * since who unmounts may be somebody else, long after.
 *
 * @module
 */

import { MOUNT_DIRECTORY_NAME, readPlainText } from "../binding/mod.ts";
import { ERRNO, isDenied, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { asRoot, isRootBehind } from "../ffi/credentials.ts";
import { type Libc, OPEN, systemLibc } from "../ffi/libc.ts";
import { inParent } from "../ffi/open_beneath.ts";
import { absolute, realPathOf } from "./environment.ts";
import type { PbkfsMount } from "./mount_table.ts";

const ROOT = 0;

/**
 * Makes a directory to mount on, if there is nothing; what it would lie in must be there. One that
 * root makes belongs to who owns what it lies in.
 *
 * @param options.isNamed Whether the path comes from who gives the command; if not, the diff named
 * it, and root makes nothing in its own directories.
 * @returns Whether it was made.
 * @throws {PbkfsError} `PermissionDenied`. What else is wrong with the place is for others to tell.
 */
export function makeMountDirectory(path: string, { isNamed }: { isNamed: boolean }): boolean {
  try {
    if (Deno.uid() === ROOT) return makeAsRoot(systemLibc(), realPathOf(absolute(path)), isNamed);
    Deno.mkdirSync(absolute(path), { mode: 0o755 });
    return true;
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "PermissionDenied") throw error;
    if (!isDenied(error)) return false;
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

/** Removes a file, or a directory if it is empty; root is not led elsewhere by links. */
function removeOne(path: string): void {
  if (!isRootBehind()) return Deno.removeSync(path);
  asRoot(() => inParent(systemLibc(), path, (place) => Deno.removeSync(place)));
}

/** Takes a directory away again for which there will be no mount. */
export function unmakeMountDirectory(path: string): void {
  try {
    removeOne(absolute(path));
  } catch {
    // Somebody uses it by now, or has removed it: it is not ours any more.
  }
}

/** Notes in the diff that the directory was made for its mount. */
export function noteMade({ diffPath, mountPath }: PbkfsMount): void {
  const markPath = `${diffPath}/${MOUNT_DIRECTORY_NAME}`;
  // One that was made for an earlier mount elsewhere.
  removeMade({ diffPath, uid: Deno.statSync(diffPath).uid });
  if (statIfAny(markPath) !== undefined) Deno.removeSync(markPath);
  Deno.writeTextFileSync(markPath, mountPath, { mode: 0o600, createNew: true });
}

/**
 * Removes the directory that was made for a diff's mount, after that mount.
 *
 * @param mount.mountPath Only if it is this one: then it is removed as root, if we are or may be.
 * @param mount.uid Only if it belongs to that user: who can write to the diff chooses the path.
 * @returns Why it could not be removed, if so.
 */
export function removeMade(
  { diffPath, mountPath, uid }: Pick<PbkfsMount, "diffPath"> & {
    readonly mountPath?: string;
    readonly uid?: number | null;
  },
): string | undefined {
  try {
    const made = readPlainText(diffPath, MOUNT_DIRECTORY_NAME);
    if (made === undefined || (mountPath !== undefined && made !== mountPath)) return undefined;
    const found = statIfAny(made);
    if (uid !== undefined && found !== undefined && found.uid !== uid) return undefined;
    // Only a directory that is empty goes.
    if (found?.isDirectory === true) {
      if (mountPath === undefined) Deno.removeSync(made);
      else removeOne(made);
    }
    removeOne(`${diffPath}/${MOUNT_DIRECTORY_NAME}`);
    return undefined;
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound ||
      (error instanceof PbkfsError && error.errno === ERRNO.ENOENT);
    return isGone ? undefined : (error as Error).message;
  }
}

function statIfAny(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
