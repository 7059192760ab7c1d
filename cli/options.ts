/**
 * Options that several commands have, so that they mean the same everywhere.
 *
 * @module
 */

import type { OptionSpec } from "./command.ts";

export const CATALOG: OptionSpec = {
  short: "-B",
  long: "--pbk-store",
  value: { name: "DIR", kind: "directory" },
  text: "the backup catalog, as given to pg_probackup -B",
};

export const FROM: OptionSpec = {
  long: "--from",
  value: { name: "DIR", kind: "directory" },
  text: "a data directory, instead of a backup of a catalog",
};

export const INSTANCE: OptionSpec = {
  short: "-I",
  long: "--instance",
  value: { name: "NAME", kind: "text", offers: "instances" },
  text: "the instance; may be left out if the catalog has one",
};

export const BACKUP: OptionSpec = {
  short: "-i",
  long: "--backup-id",
  value: { name: "ID", kind: "text", offers: "backups" },
  text: "the backup",
};

export const DIFF: OptionSpec = {
  short: "-d",
  long: "--diff-dir",
  value: { name: "DIR", kind: "directory" },
  text: "the diff: where changes go",
};

export const MOUNT_POINT: OptionSpec = {
  short: "-D",
  long: "--mnt-path",
  value: { name: "DIR", kind: "directory" },
  text: "the mount directory",
};

/** The same two, where something is mounted already. */
export const MOUNTED: OptionSpec = {
  ...MOUNT_POINT,
  value: { name: "DIR", kind: "directory", offers: "mounts" },
};
export const MOUNTED_DIFF: OptionSpec = {
  ...DIFF,
  value: { name: "DIR", kind: "directory", offers: "diffs" },
};

export const PROBACKUP: OptionSpec = {
  long: "--pg-probackup",
  value: { name: "FILE", kind: "file" },
  text: "the pg_probackup program, or none: do without it; default: from PATH, if there",
};

export const PROBACKUP_TIMEOUT: OptionSpec = {
  long: "--pg-probackup-timeout",
  value: { name: "SECONDS", kind: "seconds" },
  text: "how long pg_probackup may take before it is killed; default: 10",
};

export const WAIT: OptionSpec = {
  long: "--wait",
  value: { name: "SECONDS", kind: "seconds" },
  text: "how long to wait at most; default: 60",
};

export const FORCE: OptionSpec = { long: "--force", text: "do it all the same" };

export const JSON_OUTPUT: OptionSpec = { long: "--json", text: "print JSON, for programs" };

/** Every command has these. */
export const COMMON: readonly OptionSpec[] = [
  { long: "--debug", text: "show where an error came from" },
  { short: "-h", long: "--help", text: "show this help" },
];
