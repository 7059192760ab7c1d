/**
 * The files that hold a clone's settings, written so that they stay. PostgreSQL reads
 * `postgresql.conf` and all that it includes, then `postgresql.auto.conf`, and of each setting the
 * last line counts.
 *
 * - At the end of `postgresql.auto.conf` they win over everything in files. But that file is
 *   PostgreSQL's own: ALTER SYSTEM RESET ALL empties it.
 * - In `pbkfs.conf`, which the last line of `postgresql.conf` includes, ALTER SYSTEM does not reach
 *   them. What somebody sets with ALTER SYSTEM SET in the clone wins: it was meant.
 *
 * @module
 */

import { CLONE_MARK, type CloneSetting, neededParameters, settingLine } from "./clone_settings.ts";
import { parseConfig, parseConfigText, quoteConfigValue } from "./config_text.ts";
import type { Configuration } from "./configuration.ts";

/** Beside `postgresql.conf`. */
export const GUARD_CONF = "pbkfs.conf";

/**
 * The text of {@link GUARD_CONF}.
 *
 * @param backup What the other files say, without this one.
 * @param dataDirectory Where the clone is. Only this file can say so: in `postgresql.auto.conf`
 *   PostgreSQL does not look for it. It is not said without need, since who sees the clone at
 *   another place, such as a container, would have to override it.
 */
export function guardText(
  majorVersion: number,
  backup: Pick<Configuration, "settings" | "unread">,
  dataDirectory: string,
  fitted: readonly CloneSetting[] = [],
): string {
  const leadsAway = backup.settings.has("data_directory") || backup.unread.length > 0;
  return [
    "# Written by pbkfs at every mount. It keeps this clone from harming the server that was backed",
    "# up, also after ALTER SYSTEM RESET ALL. To set something else nevertheless: ALTER SYSTEM SET,",
    "# or the server's command line.",
    ...neededIn(majorVersion, backup).map(settingLine),
    ...fitted.map(settingLine),
    ...(leadsAway ? [`data_directory = ${quoteConfigValue(dataDirectory)}`] : []),
    "",
  ].join("\n");
}

/** What to append to `postgresql.conf`; nothing if {@link GUARD_CONF} is its last word. */
export function missingInclude(mainText: string): string {
  const last = parseConfigText(mainText).lines.at(-1);
  if (last?.name === "include" && last.value === GUARD_CONF) return "";
  const gap = mainText === "" || mainText.endsWith("\n") ? "" : "\n";
  return `${gap}\n# added by pbkfs, and again at the next mount if it is not last\n` +
    `include '${GUARD_CONF}'\n`;
}

/** The settings of a clone that are to be written, given what the backup says. */
function neededIn(
  majorVersion: number,
  { settings, unread }: Pick<Configuration, "settings" | "unread">,
): CloneSetting[] {
  return neededParameters(majorVersion, (name) => unread.length > 0 || settings.has(name));
}

/** What is asked of `postgresql.auto.conf`. */
export interface AutoOptions {
  readonly majorVersion: number;
  /** Whether a server reads another `postgresql.conf`: then nothing else says what must be said. */
  readonly isMainElsewhere: boolean;
  /** What fits the backup to this machine, see `machine_settings.ts`. */
  readonly fitted: readonly CloneSetting[];
}

/**
 * What to append to `postgresql.auto.conf`: the settings that it has nothing to say about. What
 * production has set there, before our mark, says nothing of the clone.
 */
export function missingSettings(autoText: string, options: AutoOptions): string {
  const { majorVersion, isMainElsewhere, fitted } = options;
  const all = parseConfig(autoText);
  const mark = autoText.indexOf(`${CLONE_MARK}\n`);
  const ours = mark < 0 ? all : parseConfig(autoText.slice(mark));
  const needed = neededParameters(majorVersion, (name) => isMainElsewhere || all.has(name));
  const missing = [
    ...needed.filter(({ name }) => !ours.has(name)),
    ...fitted.filter(({ name, value }) =>
      all.has(name) ? all.get(name) !== value : isMainElsewhere
    ),
  ];
  if (missing.length === 0) return "";
  const gap = autoText === "" || autoText.endsWith("\n") ? "" : "\n";
  return `${gap}${missing.map(settingLine).join("\n")}\n`;
}
