/**
 * Settings of a backup that no line in `postgresql.auto.conf` can defuse. The operator is told.
 *
 * @module
 */

/** A setting that deserves a word before a server is started on the clone. */
export interface CloneHazard {
  readonly setting: string;
  readonly value: string;
  /** What may happen, and what to do. One sentence. */
  readonly warning: string;
}

/** Extensions whose background workers talk to other servers, with no setting that stops them. */
const REACHING_OUT = ["pglogical", "bdr", "spock", "bucardo"];

/**
 * Looks through the text of a `postgresql.conf` or `postgresql.auto.conf`.
 *
 * @returns The hazards of the lines that count: of a setting that occurs twice, the last.
 */
export function cloneHazards(configText: string): CloneHazard[] {
  const settings = parseConfig(configText);
  const hazards: CloneHazard[] = [];
  const say = (setting: string, warning: (value: string) => string | undefined): void => {
    const value = settings.get(setting) ?? "";
    const text = value === "" ? undefined : warning(value);
    if (text !== undefined) hazards.push({ setting, value, warning: text });
  };

  say(
    "data_directory",
    (value) =>
      `postgresql.conf sets data_directory to ${value}: a server started with -D on the mount ` +
      `would run on that directory instead; start it with -c data_directory=MOUNT_DIR as well.`,
  );
  say("shared_preload_libraries", (value) => {
    const found = value.split(",").map((name) => name.trim().replaceAll('"', ""))
      .filter((name) => REACHING_OUT.includes(name));
    return found.length === 0 ? undefined : `The backup preloads ${found.join(", ")}, whose ` +
      `workers connect to other servers; start the clone without it: ` +
      `-c shared_preload_libraries=''.`;
  });
  return hazards;
}

/**
 * The settings of a configuration file, names in lower case. `include` lines are not followed.
 *
 * @see src/backend/utils/misc/guc-file.l in PostgreSQL
 */
export function parseConfig(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Za-z_][\w.]*)\s*[=\s]\s*(?:'((?:[^'\\]|''|\\.)*)'|([^\s#']+))/.exec(
      line,
    );
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined) continue;
    const quoted = match[2]?.replaceAll("''", "'").replaceAll(/\\(.)/g, "$1");
    settings.set(name, quoted ?? match[3] ?? "");
  }
  return settings;
}
