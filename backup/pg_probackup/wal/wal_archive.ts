/**
 * The WAL plan of a pg_probackup backup: the segments that it needs to become consistent, and where
 * they are.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { printable } from "../../../ffi/bytes.ts";
import { type BackupInfo, type ChainSpec, destOf } from "../catalog/chain_spec.ts";
import { formatLsn, type Lsn, parseLsn } from "../../tree/lsn.ts";
import type { Base } from "../../tree/base.ts";
import { storeDamaged } from "../../tree/store_error.ts";
import { WalDirectory } from "./wal_directory.ts";
import type { WalFile, WalPlan } from "../../tree/wal_file.ts";
import {
  isSegmentName,
  segmentAt,
  segmentName,
  type SegmentNumber,
  segmentsBetween,
} from "../../tree/wal_names.ts";

/**
 * Finds the WAL from the start to the stop of a backup: what dest stores below `pg_wal`, or, if it
 * stores none, the segments of the archive, with the history of a timeline that is not the first.
 *
 * @throws {PbkfsError} `WalMissing` naming the first segment that is not there, `CodecUnsupported`
 * if it is there in a form that we cannot read, `StoreDamaged`.
 */
export async function planWal(
  spec: ChainSpec,
  base: Pick<Base, "walFiles">,
): Promise<WalPlan> {
  const dest = destOf(spec);
  const start = lsnOf(dest.startLsn);
  const stop = lsnOf(dest.stopLsn);
  mustBeNear(dest, start, stop);
  const segments = segmentsBetween(start, stop, spec.walSegmentBytes);
  if (dest.stream) return planStored(spec, base, segments);

  const archive = WalDirectory.open(`${spec.catalogPath}/wal/${spec.instance}`);
  const timelines = await archive.timelines(dest.timeline);
  const files: WalFile[] = [];
  for (const segment of segments) {
    const isLast = segment === segments.at(-1);
    const names = timelines
      .filter(({ begin }) => segmentAt(begin, spec.walSegmentBytes) <= segment)
      .map(({ timeline }) =>
        segmentName({ timeline, segment, segmentBytes: spec.walSegmentBytes })
      );
    const found = archive.find(names, isLast);
    if (found === undefined) {
      throw new PbkfsError("WalMissing", {
        what: `Segment ${names[0]}, which backup ${dest.id} needs to become consistent, is not ` +
          `in "${archive.dirPath}"`,
        todo: "Copy it there from wherever WAL is archived, or choose another backup.",
      });
    }
    files.push({ ...found, sizeBytes: spec.walSegmentBytes });
  }
  const history = archive.history(dest.timeline);
  return { files: history === undefined ? files : [history, ...files] };
}

/** Nobody writes more WAL than that while a backup is made: copying it would take hours. */
const WAL_BYTES_MAX = 1n << 40n;

function mustBeNear({ id, startLsn, stopLsn }: BackupInfo, start: Lsn, stop: Lsn): void {
  if (stop - start <= WAL_BYTES_MAX) return;
  throw storeDamaged(`Backup ${id} says that it needs the WAL from ${startLsn} to ${stopLsn}`);
}

function planStored(
  spec: ChainSpec,
  base: Pick<Base, "walFiles">,
  segments: readonly SegmentNumber[],
): WalPlan {
  const dest = destOf(spec);
  const { walSegmentBytes: segmentBytes } = spec;
  for (const { name, sizeBytes } of base.walFiles) {
    // Histories and the like are short.
    if (isSegmentName(name) ? sizeBytes === segmentBytes : sizeBytes <= segmentBytes) continue;
    throw storeDamaged(
      `WAL file ${printable(name)} in backup ${dest.id} has ${sizeBytes} bytes, expected ` +
        `${segmentBytes}`,
    );
  }
  // The timeline may change on the way, so only the number of the segment counts here.
  const stored = new Set(base.walFiles.map(({ name }) => name.slice(8)));
  for (const segment of segments) {
    const name = segmentName({ timeline: dest.timeline, segment, segmentBytes });
    if (stored.has(name.slice(8))) continue;
    throw new PbkfsError("WalMissing", {
      what: `Backup ${dest.id} does not hold WAL segment ${name}, although it needs the log from ` +
        `${dest.startLsn} to ${dest.stopLsn}`,
      todo: "Run pg_probackup validate, then choose a backup that it calls OK.",
    });
  }
  return {
    files: base.walFiles.map(({ name, path, sizeBytes, mode }) => ({
      name: printable(name),
      sourcePath: printable(path),
      isGzip: false,
      sizeBytes,
      mode,
    })),
  };
}

function lsnOf(text: string): Lsn {
  const lsn = parseLsn(text);
  if (lsn !== undefined && formatLsn(lsn) !== "0/0") return lsn;
  throw storeDamaged(`The backup names "${text}" as a position in the WAL`);
}
