/**
 * `pbkfs status`.
 *
 * @module
 */

import { type MountReport, mountReports } from "../operate/mod.ts";
import type { CommandSpec, Flags } from "./command.ts";
import { JSON_OUTPUT, MOUNTED, MOUNTED_DIFF } from "./options.ts";
import { clearTerminal, isReaderGone, print, printJson, say } from "./output.ts";
import { statusDocument } from "./status_document.ts";
import { mountFacts, mountTable } from "./status_text.ts";
import { columnsOut } from "./text_width.ts";

interface StatusFlags extends Flags {
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly json?: boolean;
  readonly watch?: number;
}

/** The command. */
export const STATUS: CommandSpec = {
  name: "status",
  summary: "tell what is mounted on this host and what the mounts have done",
  description: [
    "Without options, all pbkfs mounts of this host. A mount whose process is gone or stuck is " +
    "listed as such, and so is one that is detached: mounted nowhere any more, while its process " +
    "goes on for others that keep it.",
    "Reads and writes are those that the kernel asked for: what it has cached does not come here.",
  ],
  options: [
    { ...MOUNTED, text: "only the mount there, with all that is known" },
    { ...MOUNTED_DIFF, text: "only the mount of this diff, with all that is known" },
    {
      long: "--watch",
      value: { name: "SECONDS", kind: "seconds", bare: "2" },
      text: "again and again, every 2 seconds if not said otherwise, until interrupted",
    },
    JSON_OUTPUT,
  ],
  examples: ["pbkfs status", "pbkfs status -D /mnt/clone --json", "pbkfs status --watch 5"],
  codes: ["NotMounted", "MountBusy", "PermissionDenied"],
  async run(given) {
    const flags = given as StatusFlags;
    if (flags.watch === undefined) return show(await look(flags), flags);
    const isTerminal = Deno.stdout.isTerminal() && flags.json !== true;
    for (;;) {
      const reports = await look(flags);
      if (isTerminal) clearTerminal();
      show(reports, flags);
      if (isReaderGone()) return;
      await new Promise((resolve) => setTimeout(resolve, (flags.watch ?? 0) * 1000));
    }
  },
};

function isOne({ mntPath, diffDir }: StatusFlags): boolean {
  return mntPath !== undefined || diffDir !== undefined;
}

function look({ mntPath, diffDir }: StatusFlags): Promise<MountReport[]> {
  return mountReports({ mountPath: mntPath, diffPath: diffDir });
}

function show(reports: readonly MountReport[], flags: StatusFlags): void {
  const document = statusDocument(reports);
  if (flags.json === true) {
    // While watching, one line each time, so that programs can read it line by line.
    return flags.watch === undefined ? printJson(document) : printJson(document, 0);
  }
  if (document.mounts.length === 0) return say("There are no pbkfs mounts on this host.");
  const lines = isOne(flags) ? document.mounts.flatMap(mountFacts) : mountTable(document.mounts, {
    width: columnsOut(),
    now: Date.now(),
  });
  lines.forEach((line) => print(line));
}
