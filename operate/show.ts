/**
 * The backups of a catalog, as plain data: what `pbkfs show --json` prints. `schemas/show.json`
 * describes it.
 *
 * @module
 */

import {
  type CatalogListing,
  type CatalogOptions,
  listBackups,
  type ListedBackup,
} from "../backup/mod.ts";
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

/** Which backups to show. */
export interface ShowOptions extends CatalogOptions {
  /** As of {@link showDocument}. */
  readonly backupId?: string | undefined;
}

/** Lists backups. @throws {PbkfsError} as `listBackups` and {@link showDocument}. */
export async function showBackups(
  { backupId, ...options }: ShowOptions,
): Promise<ShowDocument> {
  return showDocument(await listBackups(options), backupId);
}

/**
 * A catalog as a document.
 *
 * @param backupId Only this backup and those it is based on; `latest` is, of each instance, the
 * newest that can be mounted.
 * @throws {PbkfsError} `BackupMissing`.
 */
function showDocument(listing: CatalogListing, backupId?: string): ShowDocument {
  const wanted = backupId?.toUpperCase();
  const instances = listing.instances.map(
    ({ name, systemIdentifier, walSegmentBytes, backups }) => {
      const byId = new Map(backups.toReversed().map((one) => [one.info.id, one]));
      const shown = chainByChain(backups).map((backup) => shownBackup(backup, byId));
      const one = wanted === LATEST ? newest(backups) : wanted;
      const chain = shown.find(({ id }) => id === one)?.chain ?? [];
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
      what: wanted === LATEST
        ? `The catalog "${listing.catalogPath}" has no backup that can be mounted`
        : `The catalog "${listing.catalogPath}" has no backup ${wanted}`,
      todo: `List what there is with: pbkfs show -B "${listing.catalogPath}"`,
    });
  }
  const { catalogPath, source, notes } = listing;
  return { document: "pbkfs.show", version: 1, catalogPath, source, notes, instances: found };
}

const LATEST = "LATEST";

/** Which backup `pbkfs mount` takes if none is named. @param backups Oldest first. */
function newest(backups: readonly ListedBackup[]): string | undefined {
  return backups.findLast(({ restorable }) => restorable)?.info.id;
}

/** Oldest chain first, and in it each backup followed by those that are based on it. */
function chainByChain(backups: readonly ListedBackup[]): ListedBackup[] {
  const ids = new Set(backups.map(({ info }) => info.id));
  const children = Map.groupBy(backups, ({ info }) => info.parentId);
  const isRoot = ({ info }: ListedBackup) =>
    info.parentId === undefined || !ids.has(info.parentId) || info.mode === "FULL";
  const placed = new Set<ListedBackup>();
  // No recursion: a chain may be longer than the stack is deep.
  const waiting = [...backups.filter(isRoot), ...backups].reverse();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (placed.has(next)) continue; // Parents that go round in a circle.
    placed.add(next);
    waiting.push(...(children.get(next.info.id) ?? []).toReversed());
  }
  return [...placed];
}

function shownBackup(
  { info, restorable, problem }: ListedBackup,
  all: ReadonlyMap<string, ListedBackup>,
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

/** No longer chain can be mounted. */
const CHAIN_MAX = 1000;

/** From the FULL backup, or the last one that is there; of very long chains only the end. */
function chainIds(id: string, all: ReadonlyMap<string, ListedBackup>): string[] {
  const chain = new Set([id]);
  for (let last = id; chain.size <= CHAIN_MAX;) {
    const info = all.get(last)?.info;
    const parent = info?.mode === "FULL" ? undefined : info?.parentId;
    if (parent === undefined || !all.has(parent) || chain.has(parent)) break;
    chain.add(parent);
    last = parent;
  }
  return [...chain].reverse();
}
