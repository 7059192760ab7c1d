/**
 * Checks of what a mount needs from the machine, before anything is made.
 *
 * @module
 */

import { describeOwner, isLocked, readOwner } from "../binding/mod.ts";
import { isDenied, PbkfsError } from "../errors.ts";
import { libfuse } from "../ffi/libfuse.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Fd, OPEN, systemLibc } from "../ffi/libc.ts";
import { absolute, realPath, realPathOf } from "../ffi/real_path.ts";
import { listMounts, SOURCE_PREFIX } from "./mount_table.ts";

/** Where to look; tests look elsewhere. */
export interface Environment {
  readonly fuseDevice: string;
  readonly libfuseNames?: readonly string[];
}

/** This machine. `PBKFS_FUSE_DEVICE` and `PBKFS_LIBFUSE` name others. */
export function environment(env: Pick<typeof Deno.env, "get"> = Deno.env): Environment {
  const library = env.get("PBKFS_LIBFUSE");
  return {
    fuseDevice: env.get("PBKFS_FUSE_DEVICE") ?? "/dev/fuse",
    ...(library !== undefined && { libfuseNames: [library] }),
  };
}

/**
 * Checks for FUSE.
 *
 * @throws {PbkfsError} `FuseDeviceMissing`, `LibraryMissing`, `PermissionDenied`.
 */
export function checkFuse({ fuseDevice, libfuseNames }: Environment): void {
  libfuse(libfuseNames);
  checkFuseDevice(fuseDevice);
}

/** Checks that the device can be opened. @throws {PbkfsError} as {@link checkFuse}. */
export function checkFuseDevice(fuseDevice: string): void {
  let status: Deno.FileInfo;
  try {
    status = Deno.statSync(fuseDevice);
  } catch (error) {
    throw new PbkfsError("FuseDeviceMissing", {
      what: `There is no "${fuseDevice}": ${(error as Error).message}`,
      todo: "Load the kernel module (modprobe fuse); in a container, add --device /dev/fuse.",
      cause: error,
    });
  }
  try {
    systemLibc().close(systemLibc().open(byteStringOf(fuseDevice), OPEN.readWrite));
  } catch (error) {
    const mode = ((status.mode ?? 0) & 0o777).toString(8);
    throw new PbkfsError("PermissionDenied", {
      what: `"${fuseDevice}" (mode ${mode}) cannot be opened: ${(error as Error).message}`,
      todo: `Let everybody open it, as systems usually do: chmod 666 ${fuseDevice}.`,
      cause: error,
    });
  }
}

/**
 * Checks a directory to mount on.
 *
 * @returns Its path without symbolic links.
 * @throws {PbkfsError} `MountDirMissing`, `MountDirBusy`, `MountDirNotEmpty`.
 */
export function checkMountDir(path: string): string {
  // A mount whose process died answers every question with an error, so look at the list first.
  mustNotBeMounted(absolute(path));
  let real: string;
  try {
    real = realPath(path);
    if (!Deno.statSync(real).isDirectory) throw new Deno.errors.NotADirectory("not a directory");
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "PermissionDenied") throw error;
    if (isDenied(error)) {
      throw new PbkfsError("PermissionDenied", {
        what: `The mount directory "${path}" cannot be reached: ${(error as Error).message}`,
        todo: "Give one that you may enter, with -D.",
        cause: error,
      });
    }
    throw new PbkfsError("MountDirMissing", {
      what: `The mount directory "${path}" is not there: ${(error as Error).message}`,
      todo: `Make it: mkdir -p "${path}"`,
      cause: error,
    });
  }
  mustNotBeMounted(real);
  mustBeEmpty(path, real);
  return real;
}

/**
 * Checks where a diff is to be.
 *
 * @returns Its path without symbolic links; the last part need not exist.
 * @throws {PbkfsError} `DiffMisplaced`.
 */
export function checkDiffPlace(
  path: string,
  others: {
    readonly catalogPath: string;
    readonly mountPath: string;
    /** What people call the first one. */
    readonly called: string;
  },
): string {
  const real = realPathOf(absolute(path));
  const { catalogPath, mountPath, called } = others;
  const refuse = (what: string, todo: string): never => {
    throw new PbkfsError("DiffMisplaced", { what: `The diff directory "${path}" ${what}`, todo });
  };
  if (isWithin(real, catalogPath)) {
    refuse(
      `is inside the ${called} "${catalogPath}"`,
      "The store is never written: choose another.",
    );
  }
  if (isWithin(catalogPath, real)) {
    refuse(`holds the ${called} "${catalogPath}"`, "Choose a directory of its own.");
  }
  if (isWithin(real, mountPath)) {
    refuse(
      `is inside the mount directory "${mountPath}"`,
      "The mount would hide it: choose another.",
    );
  }
  if (isWithin(mountPath, real)) {
    refuse(`holds the mount directory "${mountPath}"`, "Choose a directory of its own.");
  }
  return real;
}

/** Checks that a mount directory is no part of the data directory that it is to show. */
export function checkMountOutside(mountPath: string, dirPath: string): void {
  if (!isWithin(mountPath, dirPath)) return;
  throw new PbkfsError("Usage", {
    what: `The mount directory "${mountPath}" is inside the data directory "${dirPath}"`,
    todo: "Give an empty directory elsewhere with -D.",
  });
}

function isWithin(path: string, directory: string): boolean {
  return path === directory ||
    path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);
}

/**
 * Checks once more, for who has the directory open.
 *
 * @throws {PbkfsError} `MountDirBusy`, `MountDirNotEmpty`.
 */
export function checkOpenedMountDir(path: string, fd: Fd): void {
  mustNotBeMounted(path);
  mustBeEmpty(path, `/proc/self/fd/${fd}`);
}

function mustBeEmpty(path: string, openedPath: string): void {
  const [first] = Deno.readDirSync(openedPath);
  if (first === undefined) return;
  throw new PbkfsError("MountDirNotEmpty", {
    what: `The mount directory "${path}" is not empty: it holds "${first.name}"`,
    todo: "Give an empty directory with -D; what is in this one would be hidden.",
  });
}

function mustNotBeMounted(path: string): void {
  const found = listMounts().findLast(({ mountPath }) => mountPath === path);
  if (found === undefined) return;
  if (found.type !== "fuse.pbkfs") {
    throw new PbkfsError("MountDirBusy", {
      what: `"${path}" is a mount point already: ${found.type} of ${found.source}`,
      todo: "Unmount it first, or give another directory with -D.",
    });
  }
  const diffPath = found.source.slice(SOURCE_PREFIX.length);
  const isDead = isLocked(diffPath, systemLibc()) === false;
  const owner = describeOwner(readOwner(diffPath));
  throw new PbkfsError("MountDirBusy", {
    what: isDead
      ? `On "${path}" the diff "${diffPath}" is still mounted, though its process has died`
      : `On "${path}" the diff "${diffPath}" is mounted already, by ${owner}`,
    todo: `Unmount it first: pbkfs unmount -D "${path}". Or give another directory with -D.`,
  });
}
