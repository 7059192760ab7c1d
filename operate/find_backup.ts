/**
 * Finds the backup that a mount is asked for, or that a diff is of.
 *
 * @module
 */

import { type BackupRef, DIRECTORY, PG_PROBACKUP, type ProbackupOptions } from "../backup/mod.ts";
import { type Binding, checkKind, checkNames } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { absolute } from "../ffi/real_path.ts";

/** What is asked for. The diff tells what is left out. */
export interface WantedBackup extends ProbackupOptions {
  readonly diffPath: string;
  /** What pg_probackup gets with `-B`. */
  readonly catalogPath?: string | undefined;
  /** A data directory, instead of a backup of a catalog. */
  readonly fromPath?: string | undefined;
  readonly instance?: string;
  readonly backupId?: string;
}

/**
 * Finds it.
 *
 * @param place Where it is to be: given, or as the diff says.
 * @param binding Of the diff; undefined for a new one.
 * @throws {PbkfsError} `DiffForeign` if the diff is of another one, and why there is none.
 */
export async function findBackup(
  options: WantedBackup,
  { catalogPath }: { readonly catalogPath: string },
  binding: Binding | undefined,
): Promise<BackupRef> {
  const { instance = binding?.instance, backupId = binding?.backupId } = options;
  if (isOfDirectory(options, binding)) return await findDirectory(options, catalogPath, binding);
  if (binding !== undefined) checkKind(binding, PG_PROBACKUP.kind, options.diffPath);
  const { probackup, useProbackup, probackupTimeoutMs } = options;
  if (binding !== undefined) checkNames(binding, { instance, backupId }, options.diffPath);
  try {
    return await PG_PROBACKUP.resolve({
      catalogPath,
      ...(instance !== undefined && { instance }),
      ...(backupId !== undefined && { backupId }),
      ...{ probackup, useProbackup, probackupTimeoutMs },
    });
  } catch (error) {
    if (binding !== undefined) refuseOther(error, binding, { catalogPath, options });
    const isMissing = error instanceof PbkfsError && error.code === "CatalogMissing";
    if (!isMissing || options.catalogPath !== undefined) throw error;
    throw new PbkfsError("CatalogMissing", {
      what: `The catalog that the diff is of is not there: ${error.message}`,
      todo: "If it has been moved, say with -B where it is now.",
      cause: error,
    });
  }
}

/** A catalog that lacks the backup is another one than that of the diff, perhaps by mistake. */
function refuseOther(
  error: unknown,
  binding: Binding,
  { catalogPath, options }: { readonly catalogPath: string; readonly options: WantedBackup },
): void {
  const isOther = options.catalogPath !== undefined &&
    absolute(options.catalogPath) !== binding.catalogPath;
  const lacks = error instanceof PbkfsError &&
    ["InstanceMissing", "BackupMissing", "CatalogMissing"].includes(error.code);
  if (!isOther || !lacks) return;
  throw new PbkfsError("DiffForeign", {
    what: `The diff "${options.diffPath}" belongs to backup ${binding.backupId} of instance ` +
      `"${binding.instance}" in the catalog "${binding.catalogPath}", which is not in ` +
      `"${catalogPath}": ${error.message}`,
    todo: "Leave -B out to continue that clone, or give another diff with -d for another backup.",
    cause: error,
  });
}

/** What is asked for decides; if nothing is, the diff does. */
export function isOfDirectory(
  options: Pick<WantedBackup, "fromPath" | "catalogPath">,
  binding: Binding | undefined,
): boolean {
  const { fromPath, catalogPath } = options;
  return fromPath !== undefined || (catalogPath === undefined && binding?.kind === DIRECTORY.kind);
}

async function findDirectory(
  options: WantedBackup,
  dirPath: string,
  binding: Binding | undefined,
): Promise<BackupRef> {
  const { catalogPath, instance, backupId, diffPath } = options;
  if ((catalogPath ?? instance ?? backupId) !== undefined) {
    throw new PbkfsError("Usage", {
      what: "A data directory is no catalog: it has no instances and no backups to choose from",
      todo: "Give either --from, or -B with -I and -i.",
    });
  }
  if (binding !== undefined) checkKind(binding, DIRECTORY.kind, diffPath);
  try {
    const backup = await DIRECTORY.resolve({ dirPath });
    if (binding !== undefined) mustBeAsItWas(binding, backup, diffPath);
    return backup;
  } catch (error) {
    const isMissing = error instanceof PbkfsError && error.code === "CatalogMissing";
    if (!isMissing || options.fromPath !== undefined) throw error;
    throw new PbkfsError("CatalogMissing", {
      what: `The data directory that the diff is of is not there: ${error.message}`,
      todo: "If it has been moved, say with --from where it is now.",
      cause: error,
    });
  }
}

/** Of the same cluster, but written to since: the diff's pages do not fit it any more. */
function mustBeAsItWas(binding: Binding, backup: BackupRef, diffPath: string): void {
  const { instance, members, catalogPath } = backup.identity;
  if (instance !== binding.instance) return; // Another cluster: told as for any backup.
  if (JSON.stringify(members) === JSON.stringify(binding.chain)) return;
  throw new PbkfsError("DiffForeign", {
    what: `The data directory "${catalogPath}" has changed since the diff "${diffPath}" was made`,
    todo: "Mount a copy that is as it was then, with --from, or choose an empty diff directory.",
  });
}
