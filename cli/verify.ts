/**
 * `pbkfs verify`.
 *
 * @module
 */

import { verifyDiff, type VerifyFinding } from "../operate/mod.ts";
import { CODES } from "../errors.ts";
import { type CommandSpec, required } from "./command.ts";
import { CATALOG, DIFF, FROM, JSON_OUTPUT } from "./options.ts";
import { print, printJson, say } from "./output.ts";
import { PROBACKUP_OPTIONS, type ProbackupFlags, probackupOf } from "./probackup.ts";

interface VerifyFlags extends ProbackupFlags {
  readonly diffDir: string;
  readonly pbkStore?: string;
  readonly from?: string;
  readonly json?: boolean;
}

/** The document that `--json` prints. `schemas/verify.json` describes it. */
interface VerifyDocument {
  readonly document: "pbkfs.verify";
  readonly version: 1;
  readonly diffPath: string;
  readonly isDamaged: boolean;
  readonly dataFiles: number;
  readonly pages: number;
  readonly findings: readonly VerifyFinding[];
}

/** The command. */
export const VERIFY: CommandSpec = {
  name: "verify",
  summary: "check a diff that is not mounted; nothing is changed",
  description: [
    "Checks that the metadata is whole and has lost no commit, that all data files are there and " +
    "long enough, and the checksums of the pages of relations that the diff holds, if the cluster " +
    "has data checksums. Prints a line for each finding; files that nothing names, as crashes " +
    "leave them, are told, and are no damage.",
    "A server that was killed may leave pages that were written in part, which its recovery puts " +
    "right: if checksums are wrong after a crash, start and stop the server, and verify again.",
    "The backup itself is not checked: pg_probackup validate does that, for a data directory with a " +
    "manifest pg_verifybackup.",
  ],
  options: [
    required({ ...DIFF, text: "the diff to check" }),
    { ...CATALOG, text: "the catalog, if it is not where it was at the last mount" },
    { ...FROM, text: "the same for a data directory that the diff is of" },
    ...PROBACKUP_OPTIONS,
    JSON_OUTPUT,
  ],
  examples: ["pbkfs verify -d /var/tmp/diff"],
  codes: [
    ...["CatalogMissing", "InstanceMissing", "BackupMissing", "CatalogUnreadable"] as const,
    ...["BackupNotRestorable", "ChainBroken", "VersionUnsupported", "StoreDamaged"] as const,
    ...["DiffMissing", "DiffForeign", "DiffVersion", "DamageFound", "DiffInUse"] as const,
    ...["PermissionDenied", "ProbackupFailed", "StoreLocked", "WalMissing"] as const,
  ],
  async run(given) {
    const flags = given as VerifyFlags;
    const { findings, ...report } = await verifyDiff({
      diffPath: flags.diffDir,
      catalogPath: flags.pbkStore,
      fromPath: flags.from,
      ...probackupOf(flags),
    });
    const isDamaged = findings.some(({ level }) => level === "damage");
    if (flags.json === true) {
      const head = { document: "pbkfs.verify", version: 1 } as const;
      printJson({ ...head, ...report, isDamaged, findings } satisfies VerifyDocument);
    } else {
      for (const { level, about, text } of findings) print(`${level}: ${about}: ${text}`);
      const looked = `${report.dataFiles} data files, checksums of ${report.pages} pages`;
      say(`${isDamaged ? "damage was found" : "no damage was found"}; checked ${looked}`);
    }
    return isDamaged ? CODES.DamageFound.exitCode : 0;
  },
};
