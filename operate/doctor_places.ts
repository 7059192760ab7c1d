/**
 * Looks at the directories that a mount is to use.
 *
 * @module
 */

import { listBackups, type ListedBackup, type ProbackupOptions } from "../backup/mod.ts";
import { readBinding } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import { parseMajorVersion, tryFindInstallation } from "../postgres/mod.ts";
import { absolute } from "../ffi/real_path.ts";
import { checkMountDir, listMounts } from "../daemon/mod.ts";
import { type Finding, finding, fine, warning } from "./finding.ts";
import { sizeText } from "./size_text.ts";

/** Which directories; what is left out is not looked at. */
export interface Places extends ProbackupOptions {
  readonly catalogPath?: string | undefined;
  readonly instance?: string | undefined;
  readonly diffPath?: string | undefined;
  readonly mountPath?: string | undefined;
}

/** With less than this, a server soon stops. */
const FREE_BYTES_MIN = 1024 ** 3;
/** They keep files in memory, or lock only within one machine. */
const BAD_FOR_DIFFS: Readonly<Record<string, string>> = {
  tmpfs: "it is in memory, so the diff is gone after a restart",
  ramfs: "it is in memory, so the diff is gone after a restart",
  nfs: "it is on another machine, so each commit waits for the network",
  nfs4: "it is on another machine, so each commit waits for the network",
  cifs: "it is on another machine, so each commit waits for the network",
};

/** All findings about directories. */
export function lookAtPlaces(places: Places): Promise<Finding[]> {
  const { catalogPath, diffPath, mountPath } = places;
  return Promise.all([
    ...(catalogPath === undefined
      ? []
      : [finding("catalog", () => lookAtCatalog(catalogPath, places))]),
    ...(diffPath === undefined ? [] : [
      finding("diff", () => lookAtDiff(diffPath)),
      finding("free-space", () => lookAtSpace(diffPath)),
    ]),
    ...(mountPath === undefined ? [] : [
      finding(
        "mount-directory",
        () => lookAtMountDirectory(mountPath),
      ),
    ]),
  ]);
}

/** One that is missing is made for the mount, if what it would lie in is there. */
function lookAtMountDirectory(mountPath: string): Finding {
  const path = absolute(mountPath);
  const isThere = (each: string) => {
    try {
      return Deno.lstatSync(each) !== undefined;
    } catch (error) {
      return !(error instanceof Deno.errors.NotFound);
    }
  };
  if (isThere(path) || !isThere(path.replace(/\/[^/]*$/, "") || "/")) {
    return fine("mount-directory", `${checkMountDir(mountPath)} is empty`);
  }
  return fine("mount-directory", `${path} is not there, and will be made`);
}

async function lookAtCatalog(catalogPath: string, places: Places): Promise<Finding> {
  const { instances, notes } = await listBackups({ ...places, catalogPath });
  const backups = instances.flatMap((one) => one.backups);
  const good = backups.filter(({ restorable }) => restorable);
  const found = `${instances.length} instances, ${backups.length} backups, of which ` +
    `${good.length} can be mounted`;
  const complaints = [
    ...notes.map((note) => ({ what: note, todo: "Correct it when there is time: mounts work." })),
    ...complaintsAbout(good, catalogPath),
  ];
  if (complaints.length === 0) return fine("catalog", found);
  const what = complaints.map((one) => one.what).filter((text) => text !== "");
  return warning("catalog", [found, ...what].join("; "), complaints.at(-1)!.todo);
}

/** What keeps mounts, or servers on them, from working. */
function complaintsAbout(
  good: readonly ListedBackup[],
  catalogPath: string,
): { readonly what: string; readonly todo: string }[] {
  if (good.length === 0) return [{ what: "", todo: `Look at: pbkfs show -B "${catalogPath}"` }];
  const versions = new Set(good.map(({ info }) => info.serverVersion));
  const missing = [...versions].filter((version) => {
    const majorVersion = parseMajorVersion(version);
    return majorVersion !== undefined && tryFindInstallation(majorVersion) === undefined;
  });
  if (missing.length === 0) return [];
  const which = `PostgreSQL ${missing.join(", ")}`;
  return [{ what: `${which} is not installed`, todo: `Install ${which}.` }];
}

/** Nothing is made: a directory that is not there yet is asked about in its parent. */
function lookAtDiff(diffPath: string): Finding {
  const place = nearest(diffPath);
  // Throws if it cannot be read.
  const binding = isThere(diffPath) ? readBinding(diffPath) : undefined;
  mustBeWritable(place);
  const bad = BAD_FOR_DIFFS[fileSystemOf(place)];
  const found = binding === undefined
    ? `${diffPath} can be ${isThere(diffPath) ? "written" : "made"}`
    : `${diffPath} holds changes to backup ${binding.backupId} of ${binding.instance}`;
  if (bad === undefined) return fine("diff", found);
  return warning("diff", `${found}, but ${bad}`, "Choose a local disk for diffs.");
}

function lookAtSpace(diffPath: string): Finding {
  const place = nearest(diffPath);
  const freeBytes = freeBytesOf(place);
  const found = `${sizeText(freeBytes)} free for the diff`;
  if (freeBytes >= FREE_BYTES_MIN) return fine("free-space", found);
  return warning("free-space", found, "A diff grows with what is written: make room.");
}

function mustBeWritable(path: string): void {
  try {
    Deno.removeSync(Deno.makeTempFileSync({ dir: path, prefix: ".pbkfs-doctor-" }));
  } catch (error) {
    throw new PbkfsError("PermissionDenied", {
      what: `"${path}" cannot be written to: ${(error as Error).message}`,
      todo: "Give a directory that you may write to with -d.",
      cause: error,
    });
  }
}

/** `struct statvfs`: f_bavail, in units of f_frsize. */
function freeBytesOf(path: string): number {
  const libc = systemLibc();
  const fd = libc.open(byteStringOf(path), OPEN.readOnly | OPEN.directory);
  const target = allocate(112);
  try {
    libc.fstatvfs(fd, target.address);
  } finally {
    libc.close(fd);
  }
  const [unitAt, availableAt] = [8, 32];
  return Number(target.view.getBigUint64(unitAt, true)) *
    Number(target.view.getBigUint64(availableAt, true));
}

function fileSystemOf(path: string): string {
  const inside = listMounts().filter(({ mountPath }) =>
    `${path}/`.startsWith(mountPath === "/" ? "/" : `${mountPath}/`)
  );
  return inside.toSorted((a, b) => a.mountPath.length - b.mountPath.length).at(-1)?.type ?? "";
}

/** The path itself, or the nearest directory above it that is there. */
function nearest(path: string): string {
  let place = absolute(path);
  while (!isThere(place)) place = place.slice(0, Math.max(1, place.lastIndexOf("/"))) || "/";
  return Deno.realPathSync(place);
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
