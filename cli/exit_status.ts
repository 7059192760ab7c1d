/**
 * The part of a help text on exit statuses, from the one table in `errors.ts`.
 *
 * @module
 */

import { type Code, CODES, DECADES } from "../errors.ts";

/** Every command may end so. */
const ALWAYS: readonly Code[] = ["Usage", "Bug", "Io"];

/** The last part of a help text. @param codes Those of one command; all if left out. */
export function exitStatusHelp(codes?: readonly Code[]): string {
  const all = Object.keys(CODES) as Code[];
  const listed = codes === undefined ? all : [...new Set([...codes, ...ALWAYS])];
  const parts = DECADES.flatMap(({ tens, title }) => {
    const found = listed.map((code) => CODES[code].exitCode)
      .filter((status) => Math.floor(status / 10) * 10 === tens).sort((a, b) => a - b);
    return found.length === 0 ? [] : [`${found.join(" ")} ${title}`];
  });
  return `Exit status:\n${wrap(["0 done", ...parts].join("; "))}\n  "pbkfs man" tells each.`;
}

function wrap(text: string): string {
  const lines = [" "];
  for (const word of text.split(" ")) {
    if (`${lines.at(-1)} ${word}`.length > 78) lines.push(" ");
    lines[lines.length - 1] += ` ${word}`;
  }
  return lines.join("\n");
}
