/**
 * Finds the backup asked for, and the chain it needs.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { BackupSet } from "./backup_set.ts";
import type { BackupInfo, ChainSpec, InstanceSettings } from "./chain_spec.ts";
import {
  type FoundBackup,
  listInstances,
  locateCatalog,
  readBackups,
  readInstanceSettings,
} from "./control_catalog.ts";
import { runShow } from "./probackup_show.ts";

/** How to look at a catalog. */
export interface CatalogOptions {
  /** What pg_probackup gets with `-B`. */
  readonly catalogPath: string;
  /** May be left out if the catalog has exactly one. */
  readonly instance?: string | undefined;
  /** Path of pg_probackup; looked for on PATH if left out. */
  readonly probackup?: string | undefined;
  /** false: never run the program, read the control files. */
  readonly useProbackup?: boolean | undefined;
}

/** What to serve. */
export interface ChainOptions extends CatalogOptions {
  /** In any case of letters; or `latest`, the newest that can be served, which is the default. */
  readonly backupId?: string | undefined;
}

/** A backup in a list: whether it can be served, or why not. */
export interface ListedBackup {
  readonly info: BackupInfo;
  readonly restorable: boolean;
  /** Why it is not. */
  readonly problem?: PbkfsError;
}

/** An instance in a list. */
export interface ListedInstance extends InstanceSettings {
  readonly name: string;
  /** Oldest first. */
  readonly backups: readonly ListedBackup[];
}

/** All there is in a catalog. */
export interface CatalogListing {
  readonly catalogPath: string;
  readonly source: ChainSpec["source"];
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
  const catalogPath = await locateCatalog(options.catalogPath);
  const instance = await chooseInstance(catalogPath, options.instance);
  const { backups, source } = await findBackups(catalogPath, instance, options);
  const set = new BackupSet(instance, backups);
  const wanted = options.backupId?.toUpperCase() ?? "LATEST";
  return {
    catalogPath,
    instance,
    source,
    members: wanted === "LATEST" ? set.latest() : set.chain(wanted),
    ...await readInstanceSettings(`${catalogPath}/backups/${instance}`),
  };
}

/**
 * Lists a catalog's backups, or those of one instance, with what keeps each from being served.
 *
 * @throws {PbkfsError} As {@link resolveChain}, but not for a fault of a single backup.
 */
export async function listBackups(options: CatalogOptions): Promise<CatalogListing> {
  const catalogPath = await locateCatalog(options.catalogPath);
  const names = options.instance === undefined
    ? await listInstances(catalogPath)
    : [await chooseInstance(catalogPath, options.instance)];
  const instances: ListedInstance[] = [];
  let source: ChainSpec["source"] = "control files";
  for (const name of names) {
    const found = await findBackups(catalogPath, name, options);
    source = found.source;
    const settings = await readInstanceSettings(`${catalogPath}/backups/${name}`);
    const set = new BackupSet(name, found.backups);
    instances.push({ name, ...settings, backups: found.backups.map((one) => judge(set, one)) });
  }
  return { catalogPath, source, instances };
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

async function findBackups(
  catalogPath: string,
  instance: string,
  options: CatalogOptions,
): Promise<{ backups: FoundBackup[]; source: ChainSpec["source"] }> {
  const instancePath = `${catalogPath}/backups/${instance}`;
  // Read in any case: only here do we learn in which directory a backup is.
  const own = await readBackups(instancePath);
  if (options.useProbackup === false) return { backups: own, source: "control files" };
  const shown = await runShow({ program: options.probackup, catalogPath, instance, known: own });
  if (shown === undefined) return { backups: own, source: "control files" };
  return { backups: shown, source: "pg_probackup" };
}
