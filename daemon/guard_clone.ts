/**
 * Keeps a clone harmless: puts pbkfs's settings where `postgres/guard.ts` says, at every mount, and
 * tells what they do not reach.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import {
  AUTO_CONF,
  type CloneHazard,
  cloneHazards,
  type Configuration,
  databaseFile,
  type FitOptions,
  GUARD_CONF,
  guardText,
  type Identity,
  LOGIN_TRIGGERS_SINCE,
  loginTriggerDatabases,
  machineNotes,
  machineSettings,
  MAIN_CONF,
  missingInclude,
  missingSettings,
  readConfiguration,
  thisMachine,
  valuesOf,
} from "../postgres/mod.ts";
import type { OverlayFiles } from "./overlay_files.ts";

/** Which clone. */
export interface Clone {
  /** PostgreSQL's, as the binding has it. */
  readonly serverVersion: string;
  readonly mountPath: string;
  /** Who runs the server. */
  readonly owner: Identity;
}

const PRIVATE = 0o600;

/**
 * Before anybody can use the mount. What is as it should be is not written again.
 *
 * @returns Notes for the operator.
 */
export function guardClone(files: OverlayFiles, clone: Clone): string[] {
  const failed: string[] = [];
  const fit = fitOf(files, clone);
  // As the backup has it: afterwards it fits.
  const backup = backupsOwn(files, clone);
  const lacks = machineNotes(backup, fit);
  try {
    putSettings(files, backup, fit);
  } catch (error) {
    const { code, message } = toPbkfsError(error);
    if (code === "Bug") throw error;
    // Of a full disk, say. Who mounts may want to make room.
    failed.push(
      `pbkfs's settings could not be written to the clone (${message}): mount again before ` +
        "you start a server on it.",
    );
  }
  const hazards = hazardsOf(files, clone).map(({ warning }) => warning);
  return [...failed, ...lacks, ...hazards, ...loginNotes(files, clone)];
}

/** What is dangerous for production in the configuration as it is now. */
export function hazardsOf(
  files: OverlayFiles,
  { serverVersion, mountPath }: Clone,
): CloneHazard[] {
  const options = { dataDirectory: mountPath, majorVersion: Number.parseFloat(serverVersion) };
  return cloneHazards(readConfiguration(files, options), options);
}

/** Triggers are no setting, and who starts a server cannot see them before they fire. */
function loginNotes(files: OverlayFiles, { serverVersion }: Clone): string[] {
  if (Number.parseFloat(serverVersion) < LOGIN_TRIGGERS_SINCE) return [];
  const map = files.readBytes("global/pg_filenode.map");
  const path = typeof map === "string" ? undefined : databaseFile(map);
  const pages = path === undefined ? "none" : files.readBytes(path);
  const names = typeof pages === "string" ? [] : loginTriggerDatabases(pages);
  if (names.length === 0) return [];
  const list = names.map((name) => JSON.stringify(name)).join(", ");
  return [
    `Event triggers of the backup run when somebody connects to ${list}; if they do more than ` +
    "look, start the clone with -c event_triggers=off.",
  ];
}

function putSettings(files: OverlayFiles, backup: Configuration, fit: FitOptions): void {
  const { majorVersion, dataDirectory } = fit;
  const fitted = machineSettings(valuesOf(backup), fit);
  const auto = files.read(AUTO_CONF);
  const main = files.read(MAIN_CONF);
  if (auto !== "unreadable") {
    const missing = missingSettings(auto === "none" ? "" : auto.text, {
      majorVersion,
      isMainElsewhere: typeof main !== "object",
      fitted,
    });
    files.append(AUTO_CONF, missing);
  }
  // Without it, a server is started with another one, which is not ours to change.
  if (typeof main !== "object") return;
  // First what is included: a server does not start without it.
  const mode = files.mode(MAIN_CONF) ?? PRIVATE;
  files.put(GUARD_CONF, guardText(majorVersion, backup, dataDirectory, fitted), mode & 0o666);
  files.append(MAIN_CONF, missingInclude(main.text));
}

/** The configuration without what we put beside it. */
function backupsOwn(files: OverlayFiles, { mountPath }: Clone): Configuration {
  return readConfiguration(files, { dataDirectory: mountPath, leftOut: GUARD_CONF });
}

function fitOf(files: OverlayFiles, { serverVersion, mountPath, owner }: Clone): FitOptions {
  const majorVersion = Number.parseFloat(serverVersion);
  return {
    majorVersion,
    dataDirectory: mountPath,
    hasHba: typeof files.read("pg_hba.conf") === "object",
    machine: thisMachine({ majorVersion, user: owner }),
  };
}
