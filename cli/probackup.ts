/**
 * The options that tell which pg_probackup a command asks.
 *
 * @module
 */

import type { ProbackupOptions } from "../operate/mod.ts";
import type { Flags, OptionSpec } from "./command.ts";
import { PROBACKUP, PROBACKUP_TIMEOUT } from "./options.ts";

/** The options. */
export const PROBACKUP_OPTIONS: readonly OptionSpec[] = [PROBACKUP, PROBACKUP_TIMEOUT];

/** What these options give. */
export interface ProbackupFlags extends Flags {
  readonly pgProbackup?: string;
  readonly pgProbackupTimeout?: number;
}

/** Stands for no program; one of that name is `./none`. */
const NO_PROGRAM = "none";

/** What the options mean. */
export function probackupOf({ pgProbackup, pgProbackupTimeout }: ProbackupFlags): ProbackupOptions {
  return {
    ...(pgProbackup === NO_PROGRAM
      ? { useProbackup: false }
      : pgProbackup !== undefined && { probackup: pgProbackup }),
    ...(pgProbackupTimeout !== undefined && { probackupTimeoutMs: pgProbackupTimeout * 1000 }),
  };
}
