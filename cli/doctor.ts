/**
 * `pbkfs doctor`.
 *
 * @module
 */

import { styleText } from "node:util";
import { examine, type Finding } from "../operate/mod.ts";
import { CODES } from "../errors.ts";
import type { CommandSpec } from "./command.ts";
import { CATALOG, DIFF, INSTANCE, JSON_OUTPUT, MOUNT_POINT } from "./options.ts";
import { print, printJson } from "./output.ts";
import { PROBACKUP_OPTIONS, type ProbackupFlags, probackupOf } from "./probackup.ts";
import { tableLines } from "./table.ts";

interface DoctorFlags extends ProbackupFlags {
  readonly pbkStore?: string;
  readonly instance?: string;
  readonly diffDir?: string;
  readonly mntPath?: string;
  readonly json?: boolean;
}

/** The document that `--json` prints. `schemas/doctor.json` describes it. */
interface DoctorDocument {
  readonly document: "pbkfs.doctor";
  readonly version: 1;
  /** The worst level found. */
  readonly level: Finding["level"];
  readonly exitStatus: number;
  readonly findings: readonly Finding[];
}

/** The command. */
export const DOCTOR: CommandSpec = {
  name: "doctor",
  summary: "check this machine, and what is to be mounted, before the first mount",
  description: [
    "Tells what was found, and what to do about it. Nothing is changed.",
    "The exit status is the one that a mount would end with; warnings do not count.",
  ],
  options: [
    { ...CATALOG, text: "also check this catalog" },
    INSTANCE,
    { ...DIFF, text: "also check this place for a diff, and its free space" },
    { ...MOUNT_POINT, text: "also check this mount directory" },
    ...PROBACKUP_OPTIONS,
    JSON_OUTPUT,
  ],
  examples: ["pbkfs doctor", "pbkfs doctor -B /backup -d /var/tmp/diff -D /mnt/clone"],
  codes: [
    ...["CatalogMissing", "InstanceMissing", "MountDirMissing", "CatalogUnreadable"] as const,
    ...["DiffVersion", "DiffDamaged", "MountDirBusy", "MountDirNotEmpty"] as const,
    ...["FuseDeviceMissing", "LibraryMissing", "MountFailed", "PermissionDenied"] as const,
    ...["ProbackupFailed", "LimitTooLow"] as const,
  ],
  async run(given) {
    const flags = given as DoctorFlags;
    const findings = await examine({
      catalogPath: flags.pbkStore,
      instance: flags.instance,
      diffPath: flags.diffDir,
      mountPath: flags.mntPath,
      ...probackupOf(flags),
    });
    const document = documentOf(findings);
    if (flags.json === true) printJson(document);
    else show(findings);
    return document.exitStatus;
  },
};

/** What comes first decides: it is what a mount would stumble over. */
function documentOf(findings: readonly Finding[]): DoctorDocument {
  const error = findings.find(({ level }) => level === "error");
  const isWarned = findings.some(({ level }) => level === "warning");
  return {
    document: "pbkfs.doctor",
    version: 1,
    level: error !== undefined ? "error" : isWarned ? "warning" : "ok",
    exitStatus: error === undefined ? 0 : CODES[error.code ?? "Bug"].exitCode,
    findings,
  };
}

const COLORS = { ok: "green", warning: "yellow", error: "red" } as const;

function show(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ level }) => level.length));
  const names = tableLines(findings.map(({ id, found }) => [id, found]));
  findings.forEach(({ level, todo }, index) => {
    // Colors where a person looks, unless NO_COLOR says otherwise.
    const mark = Deno.stdout.isTerminal() ? styleText(COLORS[level], level) : level;
    print(`${" ".repeat(width - level.length)}  ${names[index]}`, mark);
    if (todo !== "") print(`${" ".repeat(width + 2)}-> ${todo}`);
  });
}
