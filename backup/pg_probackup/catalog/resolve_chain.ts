/**
 * Finds the backup asked for, and the chain it needs.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { checkArguments } from "../../tree/check_arguments.ts";
import { BackupSet } from "./backup_set.ts";
import type { BackupInfo, ChainSpec, InstanceSettings } from "./chain_spec.ts";
import {
  type FoundBackup,
  listInstances,
  locateCatalog,
  readInstanceSettings,
} from "./control_catalog.ts";
import { findBackups, noteOf, withFailure } from "./find_backups.ts";
import type { ProbackupOptions, ShowFailure } from "./probackup_show.ts";

/** How to look at a catalog. */
export interface CatalogOptions extends ProbackupOptions {
  /** What pg_probackup gets with `-B`. */
  readonly catalogPath: string;
  /** May be left out if the catalog has exactly one. */
  readonly instance?: string | undefined;
}

const CATALOG_KINDS = {
  catalogPath: "string",
  instance: "string?",
  probackup: "string?",
  useProbackup: "boolean?",
  probackupTimeoutMs: "number?",
} as const;

/** What to serve. */
export interface ChainOptions extends CatalogOptions {
  /** In any case of letters; or `latest`, the newest that can be served, which is the default. */
  readonly backupId?: string | undefined;
}

/** A backup in a list: whether it can be served, or why not. */
export interface ListedBackup {
  /** What the catalog tells of it. */
  readonly info: BackupInfo;
  /** As far as control files tell. */
  readonly restorable: boolean;
  /** Why it is not. */
  readonly problem?: PbkfsError;
}

/** An instance in a list. */
export interface ListedInstance extends InstanceSettings {
  /** In the catalog. */
  readonly name: string;
  /** Oldest first. */
  readonly backups: readonly ListedBackup[];
}

/** All there is in a catalog. */
export interface CatalogListing {
  /** Absolute, without symbolic links. */
  readonly catalogPath: string;
  /** The program, if all of the instances were told by it. */
  readonly source: ChainSpec["source"];
  /** For the operator: what the program could not do. */
  readonly notes: readonly string[];
  /** By name. */
  readonly instances: readonly ListedInstance[];
}

/**
 * Finds a backup and the chain it needs, and refuses what cannot be served like a restore would.
 *
 * @throws {PbkfsError} `CatalogMissing`, `InstanceMissing`, `BackupMissing`, `CatalogUnreadable`,
 * `BackupNotRestorable`, `ChainBroken`, `VersionUnsupported`, `CodecUnsupported`,
 * `PermissionDenied` or `ProbackupFailed`.
 */
export async function resolveChain(options: ChainOptions): Promise<ChainSpec> {
  checkArguments("resolveChain", options, { ...CATALOG_KINDS, backupId: "string?" });
  const catalogPath = await locateCatalog(options.catalogPath);
  const instance = await chooseInstance(catalogPath, options.instance);
  const { backups, source, failure } = await findBackups({ ...options, catalogPath, instance });
  return {
    catalogPath,
    instance,
    source,
    members: explaining(failure, () => {
      const set = new BackupSet(instance, backups);
      const wanted = options.backupId?.toUpperCase() ?? "LATEST";
      return wanted === "LATEST" ? set.latest() : set.chain(wanted);
    }),
    ...await readInstanceSettings(`${catalogPath}/backups/${instance}`),
    ...(failure !== undefined && { notes: [noteOf(failure, instance)] }),
  };
}

/** What `find` gives, or its error, with why the program could not help. */
function explaining<T>(failure: ShowFailure | undefined, find: () => T): T {
  try {
    return find();
  } catch (error) {
    throw error instanceof PbkfsError ? withFailure(error, failure) : error;
  }
}

/**
 * Lists a catalog's backups, or those of one instance, with what keeps each from being served.
 *
 * @throws {PbkfsError} As {@link resolveChain}, but not for a fault of a single backup.
 */
export async function listBackups(options: CatalogOptions): Promise<CatalogListing> {
  checkArguments("listBackups", options, CATALOG_KINDS);
  const catalogPath = await locateCatalog(options.catalogPath);
  const names = options.instance === undefined
    ? await listInstances(catalogPath)
    : [await chooseInstance(catalogPath, options.instance)];
  const instances: ListedInstance[] = [];
  const notes: string[] = [];
  let source: ChainSpec["source"] = "pg_probackup";
  let { useProbackup } = options;
  for (const name of names) {
    const found = await findBackups({ ...options, useProbackup, catalogPath, instance: name });
    const { backups, failure } = found;
    if (found.source === "control files") source = found.source;
    if (failure !== undefined) notes.push(noteOf(failure, name));
    // Once it has hung there is no use in waiting for it again, for each instance.
    if (failure?.isLate === true) useProbackup = false;
    const settings = await readInstanceSettings(`${catalogPath}/backups/${name}`);
    const set = explaining(failure, () => new BackupSet(name, backups));
    instances.push({ name, ...settings, backups: backups.map((one) => judge(set, one)) });
  }
  if (names.length === 0) source = "control files";
  return { catalogPath, source, notes, instances };
}

function judge(set: BackupSet, { info }: FoundBackup): ListedBackup {
  try {
    set.chain(info.id);
    return { info, restorable: true };
  } catch (error) {
    if (!(error instanceof PbkfsError)) throw error;
    return { info, restorable: false, problem: error };
  }
}

async function chooseInstance(catalogPath: string, wanted: string | undefined): Promise<string> {
  const names = await listInstances(catalogPath);
  if (wanted !== undefined ? names.includes(wanted) : names.length === 1) {
    return wanted ?? names[0]!;
  }
  const list = names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ");
  throw new PbkfsError("InstanceMissing", {
    what: wanted === undefined
      ? `The catalog "${catalogPath}" has ${names.length} instances: ${list}`
      : `The catalog "${catalogPath}" has no instance "${wanted}"; it has: ${list}`,
    todo: names.length === 0
      ? "Give another catalog, or add an instance with pg_probackup add-instance."
      : "Name one of them with --instance.",
  });
}
