/**
 * The WAL plan of a data directory: the segments that it needs to become consistent.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { type Lsn, parseLsn } from "../tree/lsn.ts";
import { StoreDirectory } from "../tree/store_directory.ts";
import { catalogUnreadable } from "../tree/store_error.ts";
import type { WalFile, WalPlan } from "../tree/wal_file.ts";
import { isSegmentName, segmentAt, segmentName, segmentsBetween } from "../tree/wal_names.ts";
import type { DirectorySpec } from "./directory_spec.ts";
import { WAL_DIRECTORY } from "./left_out.ts";

/** The names of segments of all timelines end with the number, in so many digits. */
const TIMELINE_DIGITS = 8;
/** Of a cluster that was shut down: the checkpoint's segment, and one that its record may reach into. */
const SEGMENTS_AT_SHUTDOWN = 2n;

/** The files of `pg_wal`, and where that lies. */
export interface WalListing {
  /** Without symbolic links. */
  readonly dirPath: string;
  /** Permission bits. */
  readonly mode: number;
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
}

/** Lists `pg_wal`, which may be a link. @throws {PbkfsError} `CatalogUnreadable` */
export function listWal(dirPath: string): WalListing {
  const path = `${dirPath}/${WAL_DIRECTORY}`;
  try {
    using directory = StoreDirectory.open(path, { mayBeLink: true });
    const files = directory.list().map(({ name }) => ({ name, ...directory.look(name) }))
      .filter(({ mode }) => (mode & TYPE.mask) === TYPE.file);
    return { dirPath: directory.path, mode: directory.mode & 0o777, files };
  } catch (error) {
    throw catalogUnreadable(path, error);
  }
}

/**
 * All WAL from where recovery begins, of every timeline, with their histories. A cluster that was
 * shut down needs no more than the segment of its last checkpoint.
 *
 * @throws {PbkfsError} `WalMissing` naming a segment, `StoreDamaged` if segments differ in length.
 */
export function planWal(spec: DirectorySpec, listing: WalListing): WalPlan {
  const segments = listing.files.filter(({ name }) => isSegmentName(name));
  const segmentBytes = segmentBytesOf(segments, listing.dirPath);
  const first = segmentAt(lsnOf(spec.start), segmentBytes);
  const needed = new Set<bigint>([
    first,
    ...spec.walRanges.flatMap(({ start, end }) =>
      segmentsBetween(lsnOf(start), lsnOf(end), segmentBytes)
    ),
  ]);
  const nameOf = (segment: bigint) =>
    segmentName({ timeline: spec.timeline, segment: segment as typeof first, segmentBytes });
  const stored = new Set(segments.map(({ name }) => name.slice(TIMELINE_DIGITS)));
  for (const segment of needed) {
    const name = nameOf(segment);
    if (stored.has(name.slice(TIMELINE_DIGITS))) continue;
    throw new PbkfsError("WalMissing", {
      what: `WAL segment ${name}, which recovery needs, is not in "${listing.dirPath}"`,
      todo: "Copy it there from wherever WAL is archived, or take a backup that has its WAL: " +
        "pg_basebackup -X stream.",
    });
  }
  const from = nameOf(first).slice(TIMELINE_DIGITS);
  const end = spec.isShutDown
    ? nameOf(first + SEGMENTS_AT_SHUTDOWN).slice(TIMELINE_DIGITS)
    : undefined;
  const isWanted = (name: string) => {
    if (!isSegmentName(name)) return /^[0-9A-F]{8}\.history$/.test(name);
    const number = name.slice(TIMELINE_DIGITS);
    return number >= from && (end === undefined || number < end);
  };
  const files: WalFile[] = listing.files.filter(({ name }) => isWanted(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, sizeBytes }) => ({
      ...{ name, sizeBytes, isGzip: false, mode: listing.mode & 0o040 },
      sourcePath: `${listing.dirPath}/${name}`,
    }));
  return { files };
}

/** All segments of a cluster are of one length, a power of two. */
function segmentBytesOf(
  segments: readonly { readonly name: string; readonly sizeBytes: number }[],
  dirPath: string,
): number {
  const [first, ...others] = segments;
  if (first === undefined) {
    throw new PbkfsError("WalMissing", {
      what: `There is no WAL in "${dirPath}"`,
      todo: "Copy it there, or take a backup that has its WAL: pg_basebackup -X stream.",
    });
  }
  const { sizeBytes } = first;
  const isPower = sizeBytes >= 1 << 20 && sizeBytes <= 1 << 30 &&
    (sizeBytes & (sizeBytes - 1)) === 0;
  const other = isPower ? others.find((one) => one.sizeBytes !== sizeBytes) : first;
  if (other === undefined) return sizeBytes;
  throw new PbkfsError("StoreDamaged", {
    what: `WAL segment "${dirPath}/${other.name}" has ${other.sizeBytes} bytes` +
      (isPower ? `, ${first.name} has ${sizeBytes}` : ", which is no segment's length"),
    todo: "Make another copy of the directory.",
  });
}

function lsnOf(text: string): Lsn {
  const lsn = parseLsn(text);
  if (lsn === undefined) throw new TypeError(`${text} is no position in the WAL`);
  return lsn;
}
