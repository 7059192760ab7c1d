/**
 * `pbkfs show`.
 *
 * @module
 */

import { showBackups, type ShownBackup, type ShownInstance, sizeText } from "../operate/mod.ts";
import { type CommandSpec, required } from "./command.ts";
import { BACKUP, CATALOG, INSTANCE, JSON_OUTPUT } from "./options.ts";
import { print, printJson, say } from "./output.ts";
import { PROBACKUP_OPTIONS, type ProbackupFlags, probackupOf } from "./probackup.ts";
import { factLines, fittedLines } from "./table.ts";
import { columnsOut } from "./text_width.ts";
import { ageText, timeText } from "./units.ts";

interface ShowFlags extends ProbackupFlags {
  readonly pbkStore: string;
  readonly instance?: string;
  readonly backupId?: string;
  readonly json?: boolean;
}

/** The command. */
export const SHOW: CommandSpec = {
  name: "show",
  summary: "list the backups of a catalog, and whether they can be mounted",
  description: [
    "Backups stand below the one that they are based on. Whether a backup can be mounted is told " +
    "as far as its control files tell; stored pages are checked when they are read.",
  ],
  options: [
    required(CATALOG),
    { ...INSTANCE, text: "only this instance" },
    {
      ...BACKUP,
      text:
        "only this backup, or latest, the newest that can be mounted, and its chain, with all " +
        "that is known",
    },
    ...PROBACKUP_OPTIONS,
    JSON_OUTPUT,
  ],
  examples: [
    "pbkfs show -B /backup",
    "pbkfs show -B /backup -I main --json",
    "pbkfs show -B /backup -i latest",
  ],
  codes: [
    ...["CatalogMissing", "InstanceMissing", "BackupMissing", "CatalogUnreadable"] as const,
    ...["PermissionDenied", "ProbackupFailed"] as const,
  ],
  async run(given) {
    const flags = given as ShowFlags;
    const { pbkStore: catalogPath, instance, backupId, json } = flags;
    const options = { catalogPath, instance, backupId, ...probackupOf(flags) };
    const document = await showBackups(options);
    if (json === true) return printJson(document);
    for (const note of document.notes) say(note);
    document.instances.forEach((one, index) => {
      if (index > 0) print("");
      showInstance(one);
      const wanted = backupId === undefined ? undefined : one.backups.at(-1);
      if (wanted !== undefined) showDetails(wanted);
    });
  },
};

const HEADS = [
  ...["ID", "MODE", "PG", "STARTED", "AGE", "DATA", "WAL", "COMPRESSION", "STATUS", "MOUNT"],
];
/** What is left out first where the terminal is narrow. */
const OPTIONAL = ["COMPRESSION", "WAL", "STARTED", "DATA"];
const INDENT = 2;

/** So that what follows can be seen. */
const INDENTS_MAX = 20;

function showInstance({ name, systemIdentifier, backups }: ShownInstance): void {
  const cluster = systemIdentifier === null ? "" : `, cluster ${systemIdentifier}`;
  print(`Instance ${name}${cluster}: ${backups.length === 0 ? "no backups" : ""}`.trimEnd());
  if (backups.length === 0) return;
  const fit = { width: columnsOut() - INDENT, optional: OPTIONAL };
  const now = Date.now();
  const rows = [HEADS, ...backups.map((backup) => cellsOf(backup, now))];
  for (const line of fittedLines(rows, fit)) print(`${" ".repeat(INDENT)}${line}`);
  for (const { id, problem } of backups) {
    if (problem !== null) print(`  ${id}: ${problem.message}. ${problem.todo}`);
  }
}

function cellsOf(backup: ShownBackup, now: number): string[] {
  const { algorithm, level } = backup.compression;
  const started = backup.startTime === null ? undefined : Date.parse(backup.startTime);
  return [
    `${"  ".repeat(Math.min(backup.chain.length - 1, INDENTS_MAX))}${backup.id}`,
    backup.mode || "-",
    backup.serverVersion || "-",
    timeText(started),
    ageText(started, now),
    sizeOrDash(backup.dataBytes),
    backup.stream ? sizeOrDash(backup.walBytes) : "archive",
    algorithm === "none" ? "none" : `${algorithm} ${level}`,
    backup.status,
    backup.mountable ? "yes" : "no",
  ];
}

function showDetails(backup: ShownBackup): void {
  print("");
  const facts = {
    "chain": backup.chain.join(" "),
    "PostgreSQL": backup.serverVersion,
    "pg_probackup": backup.programVersion,
    "timeline": `${backup.timeline}`,
    "start, stop LSN": `${backup.startLsn}, ${backup.stopLsn}`,
    "ended": timeText(backup.endTime === null ? undefined : Date.parse(backup.endTime)),
    "data directory": sizeOrDash(backup.pgdataBytes),
    "stored in": backup.directory,
    "note": backup.note ?? "-",
  };
  for (const line of factLines(facts)) print(`  ${line}`);
}

function sizeOrDash(bytes: number | null): string {
  return bytes === null ? "-" : sizeText(bytes);
}
