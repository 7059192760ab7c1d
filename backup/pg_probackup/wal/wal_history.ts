/**
 * Timelines, as their history files tell.
 *
 * @module
 */

import { type Lsn, parseLsn } from "../../tree/lsn.ts";

/** A stretch of the log that belongs to one timeline. */
export interface TimelineStretch {
  readonly timeline: number;
  /** Where it left its parent; 0 for the first one. */
  readonly begin: Lsn;
}

/**
 * Reads the history of `timeline`: a line `<parent> <switch point> <reason>` for each ancestor.
 *
 * @returns The timeline itself first, then its parent and so on; undefined if the text makes no
 * sense.
 * @see readTimeLineHistory in PostgreSQL, src/backend/access/transam/timeline.c
 */
export function parseHistory(text: string, timeline: number): TimelineStretch[] | undefined {
  const stretches: TimelineStretch[] = [];
  let begin = 0n as Lsn;
  for (const line of text.split("\n")) {
    if (/^\s*(#|$)/.test(line)) continue;
    const found = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    const switchPoint = parseLsn(found?.[2] ?? "");
    const parent = Number(found?.[1]);
    const before = stretches[0];
    if (switchPoint === undefined || (before !== undefined && before.timeline >= parent)) {
      return undefined;
    }
    stretches.unshift({ timeline: parent, begin });
    begin = switchPoint;
  }
  if (stretches[0] !== undefined && stretches[0].timeline >= timeline) return undefined;
  return [{ timeline, begin }, ...stretches];
}
