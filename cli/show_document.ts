/**
 * What `pbkfs show --json` prints. `schemas/show.json` describes it.
 *
 * @module
 */

import type { CatalogListing, ListedBackup } from "../backup/mod.ts";
import { PbkfsError } from "../errors.ts";

/** A backup of the document. What is not known is null. */
export interface ShownBackup {
  readonly id: string;
  readonly parentId: string | null;
  /** From the FULL backup to this one, as far as it is there. */
  readonly chain: readonly string[];
  readonly mode: string;
  readonly startTime: string | null;
  readonly endTime: string | null;
  readonly dataBytes: number | null;
  readonly walBytes: number | null;
  readonly pgdataBytes: number | null;
  readonly compression: { readonly algorithm: string; readonly level: number };
  readonly stream: boolean;
  readonly serverVersion: string;
  readonly programVersion: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly status: string;
  readonly note: string | null;
  readonly directory: string;
  readonly mountable: boolean;
  /** Why it cannot be mounted. */
  readonly problem: {
    readonly code: string;
    readonly exitStatus: number;
    readonly message: string;
    readonly todo: string;
  } | null;
}

/** An instance of the document. */
export interface ShownInstance {
  readonly name: string;
  readonly systemIdentifier: string | null;
  readonly walSegmentBytes: number;
  /** Chain by chain, each backup behind its parent. */
  readonly backups: readonly ShownBackup[];
}

/** The document. */
export interface ShowDocument {
  readonly document: "pbkfs.show";
  readonly version: 1;
  readonly catalogPath: string;
  readonly source: string;
  /** What pg_probackup could not do. */
  readonly notes: readonly string[];
  readonly instances: readonly ShownInstance[];
}

/**
 * A catalog as a document.
 *
 * @param backupId Only this backup and those it is based on.
 * @throws {PbkfsError} `BackupMissing`.
 */
export function showDocument(listing: CatalogListing, backupId?: string): ShowDocument {
  const wanted = backupId?.toUpperCase();
  const instances = listing.instances.map(
    ({ name, systemIdentifier, walSegmentBytes, backups }) => {
      const shown = chainByChain(backups).map((backup) => shownBackup(backup, backups));
      const chain = shown.find(({ id }) => id === wanted)?.chain ?? [];
      return {
        name,
        systemIdentifier: systemIdentifier ?? null,
        walSegmentBytes,
        backups: wanted === undefined ? shown : shown.filter(({ id }) => chain.includes(id)),
      };
    },
  );
  const found = wanted === undefined
    ? instances
    : instances.filter((one) => one.backups.length > 0);
  if (wanted !== undefined && found.length === 0) {
    throw new PbkfsError("BackupMissing", {
      what: `The catalog "${listing.catalogPath}" has no backup ${wanted}`,
      todo: `List what there is with: pbkfs show -B "${listing.catalogPath}"`,
    });
  }
  const { catalogPath, source, notes } = listing;
  return { document: "pbkfs.show", version: 1, catalogPath, source, notes, instances: found };
}

/** Oldest chain first, and in it each backup followed by those that are based on it. */
function chainByChain(backups: readonly ListedBackup[]): ListedBackup[] {
  const ids = new Set(backups.map(({ info }) => info.id));
  const isRoot = ({ info }: ListedBackup) =>
    info.parentId === undefined || !ids.has(info.parentId) || info.mode === "FULL";
  const placed = new Set<ListedBackup>();
  const place = (backup: ListedBackup): void => {
    if (placed.has(backup)) return; // Parents that go round in a circle.
    placed.add(backup);
    for (const next of backups) if (next.info.parentId === backup.info.id) place(next);
  };
  backups.filter(isRoot).forEach(place);
  backups.forEach(place);
  return [...placed];
}

function shownBackup(
  { info, restorable, problem }: ListedBackup,
  all: readonly ListedBackup[],
): ShownBackup {
  const time = (milliseconds: number | undefined) =>
    milliseconds === undefined || milliseconds === 0 ? null : new Date(milliseconds).toISOString();
  return {
    id: info.id,
    parentId: info.parentId ?? null,
    chain: chainIds(info.id, all),
    mode: info.mode,
    startTime: time(info.startTime),
    endTime: time(info.endTime),
    dataBytes: info.dataBytes ?? null,
    walBytes: info.walBytes ?? null,
    pgdataBytes: info.pgdataBytes ?? null,
    compression: { algorithm: info.compressAlg, level: info.compressLevel },
    stream: info.stream,
    serverVersion: info.serverVersion,
    programVersion: info.programVersion,
    timeline: info.timeline,
    startLsn: info.startLsn,
    stopLsn: info.stopLsn,
    status: info.status,
    note: info.note ?? null,
    directory: info.dirPath,
    mountable: restorable,
    problem: problem === undefined ? null : {
      code: problem.code,
      exitStatus: problem.exitCode,
      message: problem.message,
      todo: problem.todo,
    },
  };
}

function chainIds(id: string, all: readonly ListedBackup[]): string[] {
  const chain = [id];
  for (;;) {
    const info = all.find((backup) => backup.info.id === chain[0])?.info;
    const parent = info?.mode === "FULL" ? undefined : info?.parentId;
    const isThere = all.some((backup) => backup.info.id === parent);
    if (parent === undefined || !isThere || chain.includes(parent)) return chain;
    chain.unshift(parent);
  }
}
