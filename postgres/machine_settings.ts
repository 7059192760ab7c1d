/**
 * Settings of a backup's configuration that name things which this machine may not have:
 * directories for sockets, libraries, locales, files. A server does not start without them, so the
 * clone gets values with which it does. See `machine.ts` for how the machine is asked.
 *
 * @module
 */

import type { CloneSetting } from "./clone_settings.ts";
import { type Configuration, pathInside } from "./configuration.ts";

/** This machine, as far as the settings of a clone ask. undefined: that cannot be told. */
export interface Machine {
  /** Whether the server's user can make a socket there. */
  canWriteTo(directory: string): boolean;
  hasFile(path: string): boolean;
  /**
   * @param name As `shared_preload_libraries` has it.
   * @param searchPath `dynamic_library_path`.
   */
  hasLibrary(name: string, searchPath: string): boolean | undefined;
  hasLocale(name: string): boolean | undefined;
}

/** Which clone. */
export interface FitOptions {
  readonly machine: Machine;
  /** 15, or 9.6. */
  readonly majorVersion: number;
  readonly dataDirectory: string;
  /** Whether the clone has a `pg_hba.conf` of its own. */
  readonly hasHba: boolean;
}

/** Settings by name, as one file or all of them say. */
type Values = ReadonlyMap<string, string>;

/** What is always there, and only for the server's user: the data directory itself. */
const OWN_DIRECTORY = ".";
/** Where clients look on Debian, Red Hat and their like, if nobody has said anything else. */
const USUAL_SOCKETS = "/var/run/postgresql";

const PRELOADED = [
  "shared_preload_libraries",
  "session_preload_libraries",
  "local_preload_libraries",
] as const;
const LOCALES = ["lc_messages", "lc_monetary", "lc_numeric", "lc_time"] as const;

/**
 * The settings that a clone needs here, each with a value of its own.
 *
 * @param values What the backup says; a setting that is missing has PostgreSQL's default.
 */
export function machineSettings(values: Values, options: FitOptions): CloneSetting[] {
  return [
    socketSetting(values, options),
    ...PRELOADED.flatMap((name) => librarySetting(name, values, options)),
    ...LOCALES.flatMap((name) => localeSetting(name, values, options)),
    ...hbaSetting(values, options),
  ];
}

/** What the operator should know of {@link machineSettings}. One sentence each. */
export function machineNotes(configuration: Configuration, options: FitOptions): string[] {
  const values = valuesOf(configuration);
  const { machine, majorVersion } = options;
  const libraries = PRELOADED.flatMap((name) => {
    const missing = namesIn(values.get(name) ?? "")
      .filter((library) => !isThere(library, name, values, machine));
    if (missing.length === 0) return [];
    return [
      `The backup preloads ${missing.join(", ")}, which PostgreSQL ${majorVersion} does not have ` +
      `here, so the clone's ${name} leaves it out: what needs it does not work. To have it, ` +
      `install it, then ALTER SYSTEM SET ${name}, and start the server again.`,
    ];
  });
  const locales = LOCALES.filter((name) => localeSetting(name, values, options).length > 0);
  const locale = locales[0] === undefined ? [] : [
    `The locale "${values.get(locales[0])}" is not on this machine: the clone has C for ` +
    `${locales.join(", ")}. Databases of that locale cannot be connected to until it is installed.`,
  ];
  return [...libraries, ...locale, ...fileNotes(configuration, options)];
}

/** What no setting makes good. */
function fileNotes({ settings, needed, wrong }: Configuration, options: FitOptions): string[] {
  const { machine, dataDirectory, hasHba } = options;
  const included = needed.filter(({ path }) => !machine.hasFile(path)).map(({ path, from }) =>
    `No server starts on the clone: ${from} includes ${path}, which is not on this machine. Make ` +
    `it, or remove that line in ${dataDirectory}.`
  );
  const refused = wrong.map((from) =>
    `No server starts on the clone: PostgreSQL does not understand ${from}, or finds nothing there. ` +
    `Correct it in ${dataDirectory}.`
  );
  const hba = settings.get("hba_file");
  const isLost = hba !== undefined && !hasHba && !isHbaThere(hba.value, options);
  return [
    ...included,
    ...refused,
    ...(isLost
      ? [
        `No server starts on the clone: ${hba.from} names ${hba.value}, which is not on this ` +
        `machine, and there is no pg_hba.conf in the backup. Make one, and say where with ` +
        `ALTER SYSTEM SET hba_file or -c hba_file=FILE.`,
      ]
      : []),
  ];
}

/** The values of a configuration alone. */
export function valuesOf({ settings }: Pick<Configuration, "settings">): Map<string, string> {
  return new Map([...settings].map(([name, { value }]) => [name, value]));
}

function socketSetting(values: Values, { machine }: FitOptions): CloneSetting {
  const name = "unix_socket_directories";
  const usable = namesIn(values.get(name) ?? "")
    .filter((directory) => directory.startsWith("/") && machine.canWriteTo(directory));
  if (usable.length === 0 && machine.canWriteTo(USUAL_SOCKETS)) usable.push(USUAL_SOCKETS);
  return { name, value: joined([...usable, OWN_DIRECTORY]) };
}

function librarySetting(
  name: typeof PRELOADED[number],
  values: Values,
  { machine }: FitOptions,
): CloneSetting[] {
  const all = namesIn(values.get(name) ?? "");
  const there = all.filter((library) => isThere(library, name, values, machine));
  return there.length === all.length ? [] : [{ name, value: joined(there) }];
}

/** @see load_libraries in PostgreSQL, miscinit.c: what users may load lies in plugins */
function isThere(
  library: string,
  setting: typeof PRELOADED[number],
  values: Values,
  machine: Machine,
): boolean {
  const isPlugin = setting === "local_preload_libraries" && !library.includes("/");
  const full = isPlugin ? `$libdir/plugins/${library}` : library;
  return machine.hasLibrary(full, values.get("dynamic_library_path") ?? "$libdir") !== false;
}

function localeSetting(name: string, values: Values, { machine }: FitOptions): CloneSetting[] {
  const value = values.get(name) ?? "";
  if (["", "C", "POSIX"].includes(value) || machine.hasLocale(value) !== false) return [];
  return [{ name, value: "C" }];
}

function hbaSetting(values: Values, options: FitOptions): CloneSetting[] {
  const value = values.get("hba_file") ?? "";
  if (value === "" || !options.hasHba || isHbaThere(value, options)) return [];
  return [{ name: "hba_file", value: `${options.dataDirectory}/pg_hba.conf` }];
}

/** A relative path begins where somebody starts the server, which nobody knows. */
function isHbaThere(value: string, { machine, dataDirectory, hasHba }: FitOptions): boolean {
  if (!value.startsWith("/")) return false;
  const inside = pathInside(value, dataDirectory);
  return inside === undefined ? machine.hasFile(value) : inside === "pg_hba.conf" && hasHba;
}

/** @see SplitDirectoriesString in PostgreSQL, varlena.c */
function namesIn(value: string): string[] {
  return (value.match(/"(?:[^"]|"")*"|[^,"]+/g) ?? [])
    .map((name) => name.trim().replace(/^"(.*)"$/, "$1").replaceAll('""', '"'))
    .filter((name) => name !== "");
}

function joined(names: readonly string[]): string {
  return names.map((name) => /[",\s]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)
    .join(", ");
}
