/**
 * The backups of an instance: as pg_probackup tells them, if it can, and as their control files do.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { agreed } from "./agree.ts";
import type { ChainSpec } from "./chain_spec.ts";
import { type FoundBackup, readBackups } from "./control_catalog.ts";
import { type ProbackupOptions, runShow, ShowFailure } from "./probackup_show.ts";

/** Where to look. */
export interface FindOptions extends ProbackupOptions {
  readonly catalogPath: string;
  readonly instance: string;
}

/** What was found, and by whom. */
export interface FoundBackups {
  /** Oldest first. */
  readonly backups: FoundBackup[];
  readonly source: ChainSpec["source"];
  /** Why the program was of no use; undefined if it was, or if there is none. */
  readonly failure?: ShowFailure;
}

/**
 * Reads the control files in any case: only they tell in which directory a backup is.
 *
 * The program is asked because it may know better. It may also be unable to read what it has
 * written itself, such as a note with a quote in it; then the control files have the last word.
 *
 * @throws {PbkfsError} `CatalogUnreadable` or `PermissionDenied`, with what the program said if
 * that did not help either; `ProbackupFailed` if a program was named that cannot be run.
 */
export async function findBackups(options: FindOptions): Promise<FoundBackups> {
  const { catalogPath, instance, useProbackup } = options;
  let known: FoundBackup[] = [];
  let fault: PbkfsError | undefined;
  try {
    known = await readBackups(`${catalogPath}/backups/${instance}`);
  } catch (error) {
    if (!(error instanceof PbkfsError)) throw error;
    fault = error;
  }
  const own = { backups: known, source: "control files" } as const;
  if (useProbackup === false) return foundOr(fault, own);
  try {
    const shown = await runShow({ ...options, known });
    if (shown === undefined) return foundOr(fault, own);
    return foundOr(fault, { backups: agreed(known, shown), source: "pg_probackup" });
  } catch (error) {
    if (!(error instanceof ShowFailure)) throw error;
    return foundOr(fault && withFailure(fault, error), { ...own, failure: error });
  }
}

/** The same error, with why the program could not help. */
export function withFailure(error: PbkfsError, failure: ShowFailure | undefined): PbkfsError {
  if (failure === undefined) return error;
  const { code, message, todo, errno } = error;
  const what = `${message}. pg_probackup was of no help: ${failure.message}`;
  return new PbkfsError(code, { what, todo, errno, cause: error });
}

/** What the operator should know when the program was of no use, but was not needed either. */
export function noteOf(failure: ShowFailure, instance: string): string {
  const advice = failure.isLate
    ? "--pg-probackup-timeout gives it more time, --pg-probackup none does without it"
    : "--pg-probackup none does without it";
  return `${failure.message}. The control files of instance "${instance}" were read instead; ` +
    advice;
}

function foundOr(fault: PbkfsError | undefined, found: FoundBackups): FoundBackups {
  if (fault !== undefined) throw fault;
  return found;
}
