/**
 * The report of checking a diff.
 *
 * @module
 */

/** One thing that was found. */
export interface VerifyFinding {
  readonly level: "damage" | "note";
  readonly about: "binding" | "metadata" | "data file" | "page" | "stray";
  /** The clone's file, if it is about one. */
  readonly path?: string;
  /** Of a page: its number in the fork of its relation. */
  readonly block?: number;
  /** A sentence, without a full stop. */
  readonly text: string;
}

/** What was looked at, and found. */
export interface VerifyReport {
  readonly diffPath: string;
  readonly dataFiles: number;
  /** Pages whose checksum was checked. */
  readonly pages: number;
  readonly findings: readonly VerifyFinding[];
}
