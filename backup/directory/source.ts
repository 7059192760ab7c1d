/**
 * A data directory that lies there, as a source of backups: pg_basebackup's plain output, or the
 * directory of a server that does not run. It is served as it is, and never written.
 *
 * @module
 */

import { resolve as absolutePath } from "node:path";
import { PbkfsError } from "../../errors.ts";
import { systemLibc } from "../../ffi/libc.ts";
import { trustedPath } from "../../ffi/trusted_path.ts";
import type { Base, OpenOptions } from "../tree/base.ts";
import { formatLsn } from "../tree/lsn.ts";
import { catalogUnreadable, isDenied } from "../tree/store_error.ts";
import type { BackupRef, BackupSource, FirstLook } from "../tree/source.ts";
import { watch } from "../tree/watch.ts";
import { type BackupLabel, parseBackupLabel } from "./backup_label.ts";
import { type ControlData, parseControlData } from "./control_data.ts";
import type { DirectorySpec } from "./directory_spec.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { changeOfDirectory, watchedFiles } from "./directory_change.ts";
import {
  checkManifest,
  MANIFEST,
  type Manifest,
  MANIFEST_BYTES_MAX,
  parseManifest,
} from "./manifest.ts";
import { listWal, planWal } from "./plan_wal.ts";
import { mustBeRootsAlone } from "./roots_alone.ts";
import { mustHaveNoServer } from "./running_server.ts";
import { fingerprintOf, readSmall, rootOf, walk } from "./walk.ts";

const KIND = "directory";
const SMALL_BYTES_MAX = 1024 * 1024;
/** The first version that calls it pg_wal, and the last one that is known. */
const VERSIONS = { first: 10, last: 18 };

/** What tells a data directory: where it is. */
export interface WantedDirectory {
  readonly dirPath: string;
}

/** A plain data directory. */
export const DIRECTORY: BackupSource<DirectorySpec, WantedDirectory> = {
  kind: KIND,
  placeName: "data directory",

  // deno-lint-ignore require-await -- what it throws comes as a rejection
  async resolve({ dirPath: given }): Promise<BackupRef<DirectorySpec>> {
    const dirPath = resolved(given);
    const serverVersion = versionOf(dirPath);
    const control = controlOf(dirPath);
    // What changes from now on is noticed.
    const watched = watchedFiles(dirPath);
    mustHaveNoServer(dirPath, control);
    const label = labelOf(dirPath);
    const walked = walk(dirPath);
    const { manifest, notes } = manifestOf(dirPath, label);
    if (manifest !== undefined) {
      checkManifest(manifest, walked.entries);
      checkCluster(manifest, control);
    }
    const { start, timeline } = label ?? { start: control.redo, timeline: control.timeline };
    const fingerprint = fingerprintOf(walked);
    const state = label === undefined ? control.state : "a base backup";
    const spec: DirectorySpec = {
      ...{ dirPath, fingerprint, timeline, watched },
      start: formatLsn(start),
      isShutDown: label === undefined && control.state === "shut down",
      walRanges: (manifest?.walRanges ?? [])
        .map(({ start, end }) => ({ start: formatLsn(start), end: formatLsn(end) })),
    };
    planWal(spec, listWal(dirPath));
    const { systemIdentifier } = control;
    return {
      kind: KIND,
      identity: {
        catalogPath: dirPath,
        ...{ instance: systemIdentifier, systemIdentifier },
        members: [{ id: spec.start.replace("/", "-"), contentCrc: fingerprint }],
      },
      serverVersion,
      modes: ["FULL"],
      title: `the data directory ${dirPath} (PostgreSQL ${serverVersion}, ${state})`,
      notes,
      data: spec,
    };
  },

  owner: ({ data }) => rootOf(data.dirPath).owner,

  mustBeRootsAlone: ({ data }) => mustBeRootsAlone(data.dirPath),

  // deno-lint-ignore require-await -- what it throws comes as a rejection
  async look({ data }): Promise<FirstLook> {
    const listing = listWal(data.dirPath);
    return {
      owner: rootOf(data.dirPath).owner,
      walMode: listing.mode,
      wal: planWal(data, listing),
      learnt: undefined,
    };
  },

  // deno-lint-ignore require-await -- what it throws comes as a rejection
  async open({ data, identity }, options: OpenOptions): Promise<Base> {
    return new DirectoryTree(data, identity.members.at(-1)!.id, options);
  },

  // deno-lint-ignore require-await -- what it throws comes as a rejection
  change: async ({ data }) => changeOfDirectory(data),

  // deno-lint-ignore require-await -- as above
  hold: async ({ data }, options) =>
    watch(
      () => Promise.resolve(changeOfDirectory(data)),
      options,
      "the data directory is not locked, only watched: if a server starts on it, or a file of it " +
        "is changed, reads will fail",
    ),
};

/** Root is led by links of root's only, or of who owns what they lead to. */
function resolved(path: string): string {
  try {
    const isRoot = Deno.uid() === 0;
    return Deno.realPathSync(isRoot ? trustedPath(systemLibc(), absolutePath(path)) : path);
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "PermissionDenied") throw error;
    if (isDenied(error)) throw catalogUnreadable(path, error);
    throw new PbkfsError("CatalogMissing", {
      what: `There is no data directory at "${path}": ${(error as Error).message}`,
      todo: "Give the data directory, or the output of pg_basebackup -Fp, with --from.",
      cause: error,
    });
  }
}

function versionOf(dirPath: string): string {
  const text = textOf(dirPath, "PG_VERSION")?.trim();
  if (text === undefined) {
    throw new PbkfsError("CatalogUnreadable", {
      what: `"${dirPath}" is no data directory: it has no PG_VERSION`,
      todo: "Give the data directory, or the output of pg_basebackup -Fp, with --from.",
    });
  }
  const major = /^\d+$/.test(text) ? Number(text) : 0;
  if (major >= VERSIONS.first && major <= VERSIONS.last) return text;
  throw new PbkfsError("VersionUnsupported", {
    what: `"${dirPath}/PG_VERSION" says ${JSON.stringify(text)}; known are ` +
      `${VERSIONS.first} to ${VERSIONS.last}`,
    todo: "Use a pbkfs that knows this version.",
  });
}

function controlOf(dirPath: string): ControlData {
  const bytes = readSmall(dirPath, "global/pg_control", SMALL_BYTES_MAX);
  const control = bytes && parseControlData(bytes);
  if (control !== undefined) return control;
  throw new PbkfsError("CatalogUnreadable", {
    what: `"${dirPath}/global/pg_control" is ${
      bytes === undefined ? "missing" : "no control file"
    }`,
    todo: "Look at it with pg_controldata; make another copy of the directory.",
  });
}

function labelOf(dirPath: string): BackupLabel | undefined {
  const text = textOf(dirPath, "backup_label");
  const label = text === undefined ? undefined : parseBackupLabel(text);
  if (label?.isIncremental === true) {
    throw new PbkfsError("BackupNotRestorable", {
      what: `"${dirPath}" is an incremental backup, not a data directory`,
      todo: "Combine it with those that it builds on: pg_combinebackup. Mount what that writes.",
    });
  }
  if (text === undefined || label !== undefined) return label;
  throw new PbkfsError("CatalogUnreadable", {
    what: `"${dirPath}/backup_label" does not tell where recovery begins`,
    todo: "Take another base backup.",
  });
}

/** A directory on which a server has run since is no base backup any more. */
function manifestOf(
  dirPath: string,
  label: BackupLabel | undefined,
): { readonly manifest?: Manifest; readonly notes: readonly string[] } {
  const bytes = readSmall(dirPath, MANIFEST, MANIFEST_BYTES_MAX);
  if (bytes === undefined) return { notes: [] };
  if (label === undefined && textOf(dirPath, "backup_label.old") !== undefined) {
    return {
      notes: [`"${MANIFEST}" was not looked at: a server has run on the directory since`],
    };
  }
  return { manifest: parseManifest(bytes), notes: [] };
}

function checkCluster({ systemIdentifier }: Manifest, control: ControlData): void {
  if (systemIdentifier === undefined || systemIdentifier === control.systemIdentifier) return;
  throw new PbkfsError("StoreDamaged", {
    what: `"${MANIFEST}" is of the cluster ${systemIdentifier}, pg_control of ` +
      control.systemIdentifier,
    todo: "Run pg_verifybackup on the directory; mount a copy that is as it was made.",
  });
}

function textOf(dirPath: string, name: string): string | undefined {
  const bytes = readSmall(dirPath, name, SMALL_BYTES_MAX);
  return bytes && new TextDecoder().decode(bytes);
}
