/**
 * Reads a catalog's directories and control files, as pg_probackup itself does.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import type { ByteString } from "../../../ffi/bytes.ts";
import { backupInfoOf, type BackupOrigin, unknownBackup } from "./backup_info.ts";
import type { BackupInfo, InstanceSettings } from "./chain_spec.ts";
import { parseControlFile } from "./control_file.ts";
import { StoreDirectory, StoreRefusal, untilAnswered } from "../../tree/store_directory.ts";
import { catalogUnreadable, isMissing } from "../../tree/store_error.ts";

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
    } else throw catalogUnreadable(path, error);
  }
  throw new PbkfsError("CatalogMissing", {
    what: `"${path}" is not a backup catalog: it has no directory "backups"`,
    todo: "Give the directory that pg_probackup gets with -B.",
  });
}

/** The names of the instances of a catalog, sorted. */
export function listInstances(catalogPath: string): Promise<string[]> {
  return settled(() => {
    using directory = openDirectory(`${catalogPath}/backups`);
    // A link may be one to the directory of an instance; whether it is good, is seen later.
    return visible(directory).filter((one) => one.isDirectory || one.isSymlink)
      .map(({ name }) => name).sort();
  });
}

/**
 * Reads `pg_probackup.conf` of an instance. A missing file means defaults.
 *
 * @throws {PbkfsError} `CatalogUnreadable` if it makes no sense.
 */
export async function readInstanceSettings(instancePath: string): Promise<InstanceSettings> {
  const path = `${instancePath}/pg_probackup.conf`;
  const bytes = await settled(() => {
    using directory = openDirectory(instancePath);
    return readSmallFile(directory, "pg_probackup.conf");
  });
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
export function readBackups(instancePath: string): Promise<FoundBackup[]> {
  return settled(() => {
    using instance = openDirectory(instancePath);
    return visible(instance).filter((entry) => isDirectoryOrLinkToOne(instance, entry))
      .map(({ name }) => readBackupIn(instance, name))
      .sort((a, b) => a.info.startTime - b.info.startTime);
  });
}

/** Reads the control file of one backup once more. */
export async function readBackup({ dirPath, id }: BackupInfo): Promise<FoundBackup> {
  await untilAnswered(`${dirPath}/backup.control`);
  const slash = dirPath.lastIndexOf("/");
  try {
    using instance = openDirectory(dirPath.slice(0, slash));
    return readBackupIn(instance, dirPath.slice(slash + 1), id);
  } catch (error) {
    return notRead({ dirPath, fallbackId: id }, error);
  }
}

function readBackupIn(instance: StoreDirectory, name: string, fallbackId = name): FoundBackup {
  const origin = { dirPath: `${instance.path}/${name}`, fallbackId };
  const path = `${origin.dirPath}/backup.control`;
  try {
    using directory = instance.directory(name);
    const bytes = readSmallFile(directory, "backup.control");
    if (bytes === undefined) return notRead(origin, `there is no "${path}"`);
    const values = parseControlFile(bytes);
    if (!("badLine" in values)) return { info: backupInfoOf(values, origin) };
    return notRead(origin, `line ${values.badLine} of "${path}" is ${values.reason}`);
  } catch (error) {
    return notRead(origin, error);
  }
}

function notRead(origin: BackupOrigin, why: unknown): FoundBackup {
  const error = why instanceof StoreRefusal ? catalogUnreadable(origin.dirPath, why) : why;
  const unreadable = error instanceof Error ? error.message : String(error);
  return { info: unknownBackup(origin), unreadable };
}

function walSegmentBytesOf(value: ByteString | undefined, path: string): number {
  if (value === undefined || value === "0") return WAL_SEGMENT_BYTES_DEFAULT;
  const found = /^(\d+) *(B|KB|MB|GB)?$/i.exec(value);
  const bytes = Number(found?.[1]) * (UNITS[(found?.[2] ?? "").toUpperCase()] ?? NaN);
  const isPowerOfTwo = Number.isInteger(Math.log2(bytes));
  if (isPowerOfTwo && bytes >= 1024 ** 2 && bytes <= 1024 ** 3) return bytes;
  throw new PbkfsError("CatalogUnreadable", {
    what: `xlog-seg-size in "${path}" is ${value}, not a power of two from 1 MiB to 1 GiB`,
    todo: "Correct the file: the value is the cluster's wal_segment_size, in bytes.",
  });
}

/** A directory of the catalog; that of an instance may be a link, see `StoreDirectory`. */
function openDirectory(path: string): StoreDirectory {
  try {
    return StoreDirectory.open(path, { mayBeLink: true });
  } catch (error) {
    throw catalogUnreadable(path, error);
  }
}

/** Hidden names are no instances and no backups. */
function visible(directory: StoreDirectory): Deno.DirEntry[] {
  return directory.list().filter(({ name }) => !name.startsWith("."));
}

/** Backups behind links are not read, but it is told of them. */
function isDirectoryOrLinkToOne(directory: StoreDirectory, entry: Deno.DirEntry): boolean {
  return entry.isDirectory || (entry.isSymlink && directory.hasLinkToDirectory(entry.name));
}

/** @returns undefined if there is no such file. */
function readSmallFile(directory: StoreDirectory, name: string): Uint8Array | undefined {
  try {
    return directory.read(name, CONTROL_BYTES_MAX);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw catalogUnreadable(`${directory.path}/${name}`, error);
  }
}

/** As a promise, whatever comes of it. */
function settled<T>(make: () => T): Promise<T> {
  return Promise.resolve().then(make);
}
