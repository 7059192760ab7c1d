/**
 * Reads a catalog's directories and control files, as pg_probackup itself does.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type ByteString, byteStringOf } from "../ffi/bytes.ts";
import { backupInfoOf, unknownBackup } from "./backup_info.ts";
import type { BackupInfo, InstanceSettings } from "./chain_spec.ts";
import { type ControlValues, parseControlFile } from "./control_file.ts";

/** A backup, and why its control file could not be read, if so. */
export interface FoundBackup {
  readonly info: BackupInfo;
  readonly unreadable?: string;
}

const CONTROL_BYTES_MAX = 1024 * 1024;
const WAL_SEGMENT_BYTES_DEFAULT = 16 * 1024 * 1024;
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
};

/**
 * The catalog's path, absolute and without symbolic links.
 *
 * @throws {PbkfsError} `CatalogMissing` if there is no directory `backups` in it.
 */
export async function locateCatalog(path: string): Promise<string> {
  try {
    const catalogPath = await Deno.realPath(path);
    if ((await Deno.stat(`${catalogPath}/backups`)).isDirectory) return catalogPath;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      // Told below.
    } else throw unreadable(path, error);
  }
  throw new PbkfsError("CatalogMissing", {
    what: `"${path}" is not a backup catalog: it has no directory "backups"`,
    todo: "Give the directory that pg_probackup gets with -B.",
  });
}

/** The names of the instances of a catalog, sorted. */
export async function listInstances(catalogPath: string): Promise<string[]> {
  const names = await visibleDirectories(`${catalogPath}/backups`);
  return names.sort();
}

/**
 * Reads `pg_probackup.conf` of an instance. A missing file means defaults.
 *
 * @throws {PbkfsError} `CatalogUnreadable` if it makes no sense.
 */
export async function readInstanceSettings(instancePath: string): Promise<InstanceSettings> {
  const path = `${instancePath}/pg_probackup.conf`;
  const bytes = await readSmallFile(path);
  if (bytes === undefined) return { walSegmentBytes: WAL_SEGMENT_BYTES_DEFAULT };
  const values = parseControlFile(bytes);
  if ("badLine" in values) {
    throw new PbkfsError("CatalogUnreadable", {
      what: `Cannot read "${path}": line ${values.badLine} is ${values.reason}`,
      todo: "Correct the file, as with pg_probackup set-config.",
    });
  }
  const identifier = values.get("system-identifier");
  return {
    walSegmentBytes: walSegmentBytesOf(values.get("xlog-seg-size"), path),
    ...(identifier !== undefined && /^\d+$/.test(identifier)
      ? { systemIdentifier: identifier as string }
      : {}),
  };
}

/** Reads the control file of every backup of an instance, oldest backup first. */
export async function readBackups(instancePath: string): Promise<FoundBackup[]> {
  const found: FoundBackup[] = [];
  for (const name of await visibleDirectories(instancePath)) {
    found.push(await readBackup(`${instancePath}/${name}`, name));
  }
  return found.sort((a, b) => a.info.startTime - b.info.startTime);
}

/** Reads the control file of one backup. @param name Of its directory. */
export async function readBackup(dirPath: string, name: string): Promise<FoundBackup> {
  const origin = { dirPath, fallbackId: name };
  const path = `${dirPath}/backup.control`;
  const refuse = (unreadable: string): FoundBackup => ({
    info: unknownBackup(origin),
    unreadable,
  });
  try {
    const bytes = await readSmallFile(path);
    if (bytes === undefined) return refuse(`there is no "${path}"`);
    const values: ControlValues | { badLine: number; reason: string } = parseControlFile(bytes);
    if ("badLine" in values) {
      return refuse(`line ${values.badLine} of "${path}" is ${values.reason}`);
    }
    return { info: backupInfoOf(values, origin) };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function walSegmentBytesOf(value: ByteString | undefined, path: string): number {
  if (value === undefined || value === "0") return WAL_SEGMENT_BYTES_DEFAULT;
  const found = /^(\d+) *(B|KB|MB|GB)?$/i.exec(value);
  const bytes = Number(found?.[1]) * (UNITS[(found?.[2] ?? "").toUpperCase()] ?? NaN);
  const isPowerOfTwo = Number.isInteger(Math.log2(bytes));
  if (isPowerOfTwo && bytes >= 1024 ** 2 && bytes <= 1024 ** 3) return bytes;
  throw new PbkfsError("CatalogUnreadable", {
    what: `xlog-seg-size in "${path}" is ${value}, not a power of two from 1 MB to 1 GB`,
    todo: "Correct the file: the value is the cluster's wal_segment_size, in bytes.",
  });
}

/** Hidden names and plain files are no instances and no backups. Links to directories are. */
async function visibleDirectories(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) {
      if (entry.name.startsWith(".")) continue;
      const isDirectory = entry.isDirectory ||
        (entry.isSymlink && (await Deno.stat(`${path}/${entry.name}`)).isDirectory);
      if (isDirectory) names.push(entry.name);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  return names;
}

/** @returns undefined if there is no such file. */
async function readSmallFile(path: string): Promise<Uint8Array | undefined> {
  try {
    const status = await Deno.stat(path);
    if (!status.isFile) throw new TypeError(`"${path}" is not a file`);
    if (status.size > CONTROL_BYTES_MAX) throw new RangeError(`"${path}" is larger than 1 MB`);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): PbkfsError {
  const denied = error instanceof Deno.errors.PermissionDenied;
  const reason = error instanceof Error ? error.message : String(error);
  return new PbkfsError(denied ? "PermissionDenied" : "CatalogUnreadable", {
    what: `Cannot read "${path}": ${reason}`,
    todo: denied
      ? `Run pbkfs as the user who owns the catalog (here: ${byteStringOf(path)}).`
      : "Look at the file; pg_probackup show may tell more.",
    cause: error,
  });
}
