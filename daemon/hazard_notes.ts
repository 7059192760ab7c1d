/**
 * What an operator should know before a server is started on a new clone.
 *
 * @module
 */

import type { PlainFiles, TreeLayout } from "../backup/mod.ts";
import { cloneHazards } from "../postgres/mod.ts";

/** A note for each setting of the backup that cannot be defused. */
export function hazardNotes(
  files: PlainFiles,
  layout: Pick<TreeLayout, "restoredAt" | "settings">,
): string[] {
  // Where PostgreSQL keeps settings; of one that stands in both, the last counts.
  const read = [() => files.read("postgresql.conf"), () => files.autoConf(layout)];
  const text = read.map((content) => {
    try {
      return new TextDecoder().decode(content());
    } catch {
      return ""; // Damaged: who reads it for its own sake is told.
    }
  }).join("\n");
  return cloneHazards(text).map(({ warning }) => warning);
}
