/**
 * What an operator should know before a server is started on a new clone.
 *
 * @module
 */

import { type Base, readFile } from "../backup/mod.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { cloneHazards } from "../postgres/mod.ts";

/** Where PostgreSQL keeps settings; of one that stands in both, the last counts. */
const FILES = ["postgresql.conf", "postgresql.auto.conf"];

/** A note for each setting of the backup that cannot be defused. */
export function hazardNotes(base: Base): string[] {
  const text = FILES.map((name) => {
    try {
      return new TextDecoder().decode(readFile(base, byteStringOf(name)));
    } catch {
      return ""; // Not there, or damaged: who reads it for its own sake is told.
    }
  }).join("\n");
  return cloneHazards(text).map(({ warning }) => warning);
}
