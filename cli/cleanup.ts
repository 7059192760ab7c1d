/**
 * `pbkfs cleanup`.
 *
 * @module
 */

import {
  actForOwnerOfDiff,
  cleanup,
  type CleanupPlan,
  planCleanup,
  sizeText,
} from "../operate/mod.ts";
import { PbkfsError } from "../errors.ts";
import { isTerminal, readAnswer } from "./ask.ts";
import { type CommandSpec, type Flags, required } from "./command.ts";
import { DIFF, FORCE } from "./options.ts";
import { say } from "./output.ts";

interface CleanupFlags extends Flags {
  readonly diffDir: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/** The command. */
export const CLEANUP: CommandSpec = {
  name: "cleanup",
  summary: "empty a diff: what was written through its mounts is gone",
  description: [
    "Shows what goes, asks, and removes it. The directory stays, and can be used again, for any " +
    "backup. A diff that is mounted is refused, and so is a directory that is not a diff, or " +
    "that holds anything else.",
  ],
  options: [
    required({ ...DIFF, text: "the diff to empty" }),
    { long: "--dry-run", text: "only show what would go" },
    { short: "-y", long: "--yes", text: "do not ask" },
    { ...FORCE, text: "also a diff that another machine may still have mounted" },
  ],
  examples: [
    "pbkfs cleanup -d /var/tmp/diff",
    "pbkfs cleanup -d /var/tmp/diff --dry-run",
    "pbkfs cleanup -d /var/tmp/diff --yes",
  ],
  codes: ["DiffMissing", "DiffForeign", "DiffInUse", "PermissionDenied"],
  run(given) {
    const { diffDir, yes, force, dryRun } = given as CleanupFlags;
    const diffPath = actForOwnerOfDiff(diffDir);
    const plan = planCleanup(diffPath);
    if (plan.parts.length === 0) return say(`${plan.diffPath} is empty already`);
    show(plan);
    if (dryRun === true) return say("nothing was removed");
    if (yes !== true && !isWanted()) return say("nothing was removed");
    cleanup(diffPath, { force: force === true });
    say(`${plan.diffPath} is empty now, and can be used again`);
  },
};

function show({ diffPath, binding, parts, sizeBytes }: CleanupPlan): void {
  say(
    binding === undefined
      ? `${diffPath} holds the rest of a diff:`
      : `${diffPath} holds the changes to backup ${binding.backupId} of ${binding.instance}:`,
  );
  for (const part of parts) say(`  ${sizeText(part.sizeBytes).padStart(10)}  ${part.name}`);
  say(`  ${sizeText(sizeBytes).padStart(10)}  in all`);
}

function isWanted(): boolean {
  if (isTerminal()) return /^y(es)?$/i.test(readAnswer("Remove all of it? [y/N] "));
  throw new PbkfsError("Usage", {
    what: "Nobody can be asked: the input is not a terminal",
    todo: "Give --yes if all of this is to go.",
  });
}
