/**
 * The checks that a backup may be served, and that a chain fits together.
 *
 * @module
 */

import { type Code, PbkfsError } from "../../../errors.ts";
import { BLOCK_SIZE_BYTES } from "../../tree/base_tree.ts";
import type { BackupInfo } from "./chain_spec.ts";
import { codecOf } from "./codec_name.ts";
import { parseLsn } from "../../tree/lsn.ts";
import { parseProgramVersion, VERSION } from "./program_version.ts";

/** @throws {PbkfsError} Unless the backup is OK or DONE: nobody vouches for the others. */
export function checkStatus(
  info: BackupInfo,
  unreadable: string | undefined,
  dest: BackupInfo,
): void {
  if (unreadable !== undefined) {
    throw new PbkfsError("CatalogUnreadable", {
      what: `Cannot read backup ${info.id}: ${unreadable}`,
      todo: "Run pg_probackup validate, or choose another backup.",
    });
  }
  if (info.status === "OK" || info.status === "DONE") return;
  const role = info.id === dest.id ? "" : `, an ancestor of ${dest.id},`;
  throw new PbkfsError("BackupNotRestorable", {
    what: `Backup ${info.id}${role} has status ${info.status}, expected OK or DONE`,
    todo: info.status === "CORRUPT" || info.status === "ORPHAN"
      ? "Run pg_probackup validate: it says what is damaged, or sets the status to OK."
      : "Choose another backup, or wait until pg_probackup has finished.",
  });
}

/** @throws {PbkfsError} If the backup is of a version or kind that we cannot read. */
export function checkFormat(info: BackupInfo): void {
  const where = `"${info.dirPath}/backup.control"`;
  const refuse = (code: Code, what: string, todo: string): never => {
    throw new PbkfsError(code, { what: `${what} in ${where}`, todo });
  };
  const version = parseProgramVersion(info.programVersion);
  if (version === undefined || Math.floor(version / 10000) !== 2 || version % 10000 >= 600) {
    refuse(
      "VersionUnsupported",
      `program-version is "${info.programVersion}", expected 2.0.0 to 2.5`,
      "This version of pbkfs cannot read it; restore the backup with the program that made it.",
    );
  }
  for (
    const [key, value] of [
      ["block-size", info.blockSizeBytes],
      ["xlog-block-size", info.walBlockSizeBytes],
    ] as const
  ) {
    if (value !== BLOCK_SIZE_BYTES) {
      const todo = "Only PostgreSQL servers built with the usual block size can be served.";
      refuse("VersionUnsupported", `${key} is ${value}, expected ${BLOCK_SIZE_BYTES}`, todo);
    }
  }
  if (!/^(9\.[56]|[1-9]\d)(\.\d+)?$/.test(info.serverVersion)) {
    const what = `server-version is "${info.serverVersion}", expected 9.5 or later`;
    refuse("VersionUnsupported", what, "Look at the file: pg_probackup writes it so.");
  }
  if (codecOf(info.compressAlg) === undefined) {
    const what = `compress-alg is "${info.compressAlg}", expected none, zlib, pglz, lz4 or zstd`;
    refuse("CodecUnsupported", what, "Make a backup with another --compress-algorithm.");
  }
  for (const lsn of [info.startLsn, info.stopLsn]) {
    if (parseLsn(lsn) === undefined) {
      const what = `start-lsn or stop-lsn is "${lsn}", expected such as 0/16B3748`;
      refuse("CatalogUnreadable", what, "Run pg_probackup validate.");
    }
  }
  if (info.timeline < 1) {
    refuse("CatalogUnreadable", `timelineid is ${info.timeline}`, "Run pg_probackup validate.");
  }
}

/** @throws {PbkfsError} Unless a FULL backup is followed by increments that fit together. */
export function checkOrder(members: readonly BackupInfo[]): void {
  const [full, ...increments] = members;
  if (full === undefined || full.mode !== "FULL") {
    throw chainBroken(full ?? members[0]!, `it is the first of the chain, but not FULL`);
  }
  for (const info of increments) {
    if (!["PAGE", "DELTA", "PTRACK"].includes(info.mode)) {
      throw chainBroken(info, `its backup-mode is "${info.mode}"`);
    }
  }
  const dest = members.at(-1)!;
  if (members.length === 1 || !isAtLeast(dest, VERSION.headerMapFrom)) return;
  // Restore writes such a chain newest first, and a marker met late destroys newer blocks.
  for (const info of increments) {
    const { programVersion: version, mode } = info;
    if (mode === "DELTA" || !isAtLeast(info, VERSION.markersFrom)) continue;
    if (isAtLeast(info, VERSION.markersTo + 1)) continue;
    throw new PbkfsError("VersionUnsupported", {
      what: `Backup ${info.id} is a ${mode} backup of pg_probackup ${version} below ` +
        `${dest.id} of ${dest.programVersion}: pg_probackup loses data when it restores these`,
      todo: "Make a new FULL backup, or choose one from before the upgrade of pg_probackup.",
    });
  }
}

function isAtLeast(info: BackupInfo, version: number): boolean {
  return (parseProgramVersion(info.programVersion) ?? 0) >= version;
}

/** The error for a chain that is none. */
export function chainBroken(info: BackupInfo, why: string): PbkfsError {
  return new PbkfsError("ChainBroken", {
    what: `The chain of backup ${info.id} is broken: ${why}`,
    todo: "Choose another backup; pg_probackup show lists them.",
  });
}
