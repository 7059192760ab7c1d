/**
 * The contents of a diff directory, by name: which files are ours to remove, and which are not.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Fd, type Libc, OPEN, systemLibc } from "../ffi/libc.ts";
import { openPlainDirectory } from "../ffi/open_beneath.ts";
import { DIFF_NAMES, isOfFsck, isOurs } from "./layout.ts";

/** One of our files or directories in a diff. */
export interface DiffPart {
  readonly name: string;
  /** On disk, holes left out. Of what we may not look into, nothing. */
  readonly sizeBytes: number;
}

/** What is ours in a directory, and what is not. */
export interface DiffContents {
  readonly ours: readonly DiffPart[];
  readonly foreign: readonly string[];
  /** Something here can only be from pbkfs: the directory is a diff, be it a damaged one. */
  readonly isDiff: boolean;
}

/** Looks at a directory; links are not followed. */
export function readContents(path: string): DiffContents {
  const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  return {
    ours: names.filter((name) => isOurs(name) || isOurLostAndFound(path, name))
      .map((name) => ({ name, sizeBytes: spaceOf(`${path}/${name}`) })),
    foreign: names.filter(isForeign),
    isDiff: [DIFF_NAMES.binding, DIFF_NAMES.lock].some((name) => names.includes(name)),
  };
}

/** @throws {PbkfsError} `DiffForeign` if something is in a directory that is not ours. */
export function mustHoldOnlyOurs(path: string): void {
  for (const { name } of Deno.readDirSync(path)) {
    if (!isForeign(name)) continue;
    throw new PbkfsError("DiffForeign", {
      what: `The diff directory "${path}" is not empty and not a pbkfs diff: it holds "${name}"`,
      todo: "Give an empty or absent directory with -d.",
    });
  }
}

/**
 * Removes all that is ours but the lock; the binding first, so that what is left, should we be
 * interrupted, is no diff but the rest of one. Links are removed, not what they lead to.
 *
 * @param path Absolute, without symbolic links.
 * @throws {PbkfsError} `PermissionDenied` if we are root, and it belongs to somebody else.
 */
export function removeContents(path: string): void {
  const libc = systemLibc();
  const directory = openPlainDirectory(libc, byteStringOf(path), OPEN.readOnly | OPEN.noFollow);
  try {
    const { uid } = libc.fstat(directory);
    if (Deno.uid() === 0 && uid !== 0) throw changedHands(path, uid);
    // What is removed is in this directory, whatever has the path by now.
    removeStrays(libc, directory);
    removeBelow(`/proc/self/fd/${directory}`);
  } finally {
    libc.close(directory);
  }
}

/**
 * Removes what an earlier process has left in the place of a file that is to be made.
 *
 * @throws {PbkfsError} `DiffDamaged` if it is a directory with something in it: we make none there.
 */
export function removeRest(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!Deno.lstatSync(path).isDirectory) throw error;
    throw new PbkfsError("DiffDamaged", {
      what: `"${path}" is a directory with something in it, and not from pbkfs`,
      todo: "Move it elsewhere, and mount again.",
      cause: error,
    });
  }
}

function removeBelow(directory: string): void {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => isOurs(name) && name !== DIFF_NAMES.lock)
    .sort((a, b) => Number(b === DIFF_NAMES.binding) - Number(a === DIFF_NAMES.binding));
  for (const name of names) {
    try {
      Deno.removeSync(`${directory}/${name}`, { recursive: true });
    } catch (error) {
      // A thread of ours that ends closes its database, which removes a file or two.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Root removes as the user whose it is, see `act_for_owner.ts` of `daemon/`. */
function changedHands(path: string, uid: number): PbkfsError {
  return new PbkfsError("PermissionDenied", {
    what: `"${path}" belongs to user ${uid} by now; nothing was removed`,
    todo: "Look at what is there, and try again.",
  });
}

function isForeign(name: string): boolean {
  return !isOurs(name) && name !== DIFF_NAMES.lostAndFound;
}

/** One that mkfs has made, and nothing of ours is in, is none of a diff's. */
function isOurLostAndFound(path: string, name: string): boolean {
  return name === DIFF_NAMES.lostAndFound && straysIn(`${path}/${name}`).length > 0;
}

function straysIn(path: string): string[] {
  try {
    if (!Deno.lstatSync(path).isDirectory) return [];
    return [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => !isOfFsck(name));
  } catch {
    return []; // There is none, or we may not look into it, so nothing of ours is there.
  }
}

/** The directory goes as well, unless something else is in it, or it was there before. */
function removeStrays(libc: Libc, diff: Fd): void {
  let lost: Fd;
  try {
    const flags = OPEN.readOnly | OPEN.directory | OPEN.noFollow;
    lost = libc.openAt(diff, byteStringOf(DIFF_NAMES.lostAndFound), flags);
  } catch {
    return; // There is none, or it is none of ours.
  }
  try {
    const directory = `/proc/self/fd/${lost}`;
    const strays = straysIn(`${directory}/.`);
    for (const name of strays) Deno.removeSync(`${directory}/${name}`, { recursive: true });
    if (strays.length > 0) removeLost(`/proc/self/fd/${diff}`);
  } finally {
    libc.close(lost);
  }
}

function removeLost(diff: string): void {
  if (isTopOfFileSystem(diff)) return;
  try {
    Deno.removeSync(`${diff}/${DIFF_NAMES.lostAndFound}`);
  } catch {
    // It holds what is not ours.
  }
}

/** There mkfs has made it, and fsck needs it. */
function isTopOfFileSystem(path: string): boolean {
  return Deno.lstatSync(`${path}/..`).dev !== Deno.lstatSync(`${path}/.`).dev;
}

function spaceOf(path: string): number {
  try {
    const status = Deno.lstatSync(path);
    const own = (status.blocks ?? 0) * 512;
    if (!status.isDirectory) return own;
    return [...Deno.readDirSync(path)].reduce(
      (sum, { name }) => sum + spaceOf(`${path}/${name}`),
      own,
    );
  } catch {
    return 0; // It has gone meanwhile, or is not ours to look at.
  }
}
