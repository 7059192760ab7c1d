/**
 * One finding of `pbkfs doctor`: what was looked at, and how good or bad it is.
 *
 * @module
 */

import { type Code, toPbkfsError } from "../errors.ts";

/** How bad a finding is: mounts work, work less well, or do not work. */
export type FindingLevel = "ok" | "warning" | "error";

/** One thing that was looked at. */
export interface Finding {
  /** Stays the same from version to version, for programs. */
  readonly id: string;
  readonly level: FindingLevel;
  /** What is there. */
  readonly found: string;
  /** What to do; empty if nothing. */
  readonly todo: string;
  /** What a mount would fail with. */
  readonly code?: Code;
}

/** All is well. */
export function fine(id: string, found: string): Finding {
  return { id, level: "ok", found, todo: "" };
}

/** Mounts work, but something could be better. */
export function warning(id: string, found: string, todo: string): Finding {
  return { id, level: "warning", found, todo };
}

/** What an error means for a mount. */
export function failure(id: string, error: unknown): Finding {
  const { message, todo, code } = toPbkfsError(error);
  return { id, level: "error", found: message, todo, code };
}

/** What `look` finds, or the failure that it throws. */
export async function finding(
  id: string,
  look: () => Finding | Promise<Finding>,
): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return failure(id, error);
  }
}
