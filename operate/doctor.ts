/**
 * Looks for what would keep a mount from working, before there is one. Nothing is changed.
 *
 * @module
 */

import { environment } from "../daemon/mod.ts";
import { lookAtMachine } from "./doctor_machine.ts";
import { lookAtPlaces, type Places } from "./doctor_places.ts";
import { lookAtPrograms } from "./doctor_programs.ts";
import type { Finding } from "./finding.ts";

/** Looks at the machine, at programs, and at the places that are named. */
export async function examine(places: Places): Promise<Finding[]> {
  const findings = await Promise.all([
    lookAtMachine(environment()),
    lookAtPrograms(places),
    lookAtPlaces(places),
  ]);
  return findings.flat();
}
