/**
 * Settings of a configuration that make a clone dangerous for production, although
 * `clone_settings.ts` is there: the operator is told.
 *
 * @module
 */

import { cloneParameters } from "./clone_settings.ts";
import { type Configuration, MAIN_CONF, pathInside, type Setting } from "./configuration.ts";
import { GUARD_CONF } from "./guard.ts";
import { librariesOf, REACHING_OUT } from "./reaching_out.ts";

/** A setting that deserves a word. */
export interface CloneHazard {
  readonly setting: string;
  readonly value: string;
  /** Where it is set, such as `postgresql.conf:12`; `default` if nowhere. */
  readonly from: string;
  /** What may happen, and what to do. One sentence. */
  readonly warning: string;
}

/** Which clone. */
export interface HazardOptions {
  /** 15, or 9.6. */
  readonly majorVersion: number;
  /** Where a server sees it. */
  readonly dataDirectory: string;
  /** Of the server that runs on it: what its command line sets. */
  readonly commandLine?: ReadonlyMap<string, Setting> | undefined;
}

/** Finds what is dangerous; nothing if all is as pbkfs sets it. */
export function cloneHazards(
  configuration: Configuration,
  options: HazardOptions,
): CloneHazard[] {
  const search = new Search(configuration, options);
  search.files();
  search.programs();
  search.connections();
  search.paths();
  search.libraries();
  return search.found;
}

/** Values of PostgreSQL where nothing is set, as far as they are dangerous. */
const DEFAULTS: Readonly<Record<string, string>> = { max_logical_replication_workers: "4" };

class Search {
  readonly found: CloneHazard[] = [];

  constructor(
    private readonly configuration: Configuration,
    private readonly options: HazardOptions,
  ) {}

  /** Files that are not as they should be. */
  files(): void {
    const { files, unread } = this.configuration;
    if (isElsewhere(this.options)) {
      this.#tell(
        "config_file",
        (value) =>
          `The server's configuration is ${value}, of which pbkfs knows nothing: see that it sets ` +
          `nothing that postgresql.auto.conf of the clone does not set.`,
      );
    } else if (unread.some(({ path }) => path === MAIN_CONF)) {
      // Told below.
    } else if (!files.includes(MAIN_CONF)) {
      this.#add({
        ...{ setting: "config_file", value: "", from: "default" },
        warning: "There is no postgresql.conf in the backup: if you start a server with that of " +
          "production, give -c data_directory=MOUNT_DIR as well, or it runs on production's files.",
      });
    } else if (!files.includes(GUARD_CONF)) {
      this.#add({
        ...{ setting: "include", value: "", from: MAIN_CONF },
        warning: `postgresql.conf does not include ${GUARD_CONF}: ALTER SYSTEM RESET ALL would ` +
          `bring production's settings back. Unmount and mount again: that puts it in place.`,
      });
    }
    for (const { path, from } of unread) {
      this.#add({
        ...{ setting: "include", value: path, from },
        warning: `pbkfs does not look into ${path}, which is outside of the clone or cannot be ` +
          "read: see that it preloads no library that talks to other servers.",
      });
    }
  }

  /** What the server would run. */
  programs(): void {
    const { majorVersion } = this.options;
    if (!isOff(this.#value("archive_mode") || "off")) {
      for (const name of ["archive_command", "archive_library"]) {
        this.#tell(
          name,
          (value) =>
            `The clone archives its WAL with ${name} = ${value}, maybe over that of production: ` +
            "set archive_mode to off.",
        );
      }
    }
    if (majorVersion < 12) return; // They are in recovery.conf, which a backup does not hold.
    for (const name of ["restore_command", "archive_cleanup_command", "recovery_end_command"]) {
      this.#tell(
        name,
        (value) =>
          `In recovery the clone runs ${name} = ${value}, which is made for production's archive: ` +
          "set it to ''.",
      );
    }
  }

  /** With whom it would talk. */
  connections(): void {
    const { majorVersion } = this.options;
    if (majorVersion >= 12) {
      this.#tell(
        "primary_conninfo",
        (value) =>
          `As a standby the clone connects to ${
            withoutPassword(value)
          }: set primary_conninfo to ''.`,
      );
    }
    if (majorVersion >= 10) {
      this.#tell(
        "max_logical_replication_workers",
        (value) =>
          Number(value) === 0
            ? undefined
            : "Subscriptions of the backup connect to their publishers, and move slots there that " +
              "production needs: set max_logical_replication_workers to 0.",
      );
    }
    this.#tell(
      "listen_addresses",
      (value) =>
        isLocal(value)
          ? undefined
          : `The clone listens on ${value}: applications may take it for production.`,
    );
  }

  /** Where it would write. */
  paths(): void {
    const { majorVersion, dataDirectory } = this.options;
    // A server that was started with it, and that we have found here, runs here.
    const isGiven = this.options.commandLine?.has("data_directory") === true;
    this.#tell(
      "data_directory",
      (value) =>
        isGiven || pathInside(value, dataDirectory) === ""
          ? undefined
          : `A server started with -D on the mount would run on ${value} instead: start it with ` +
            `-c data_directory=MOUNT_DIR as well.`,
    );
    const names = ["external_pid_file"];
    if (majorVersion >= 12 && majorVersion < 16) names.push("promote_trigger_file");
    if (majorVersion < 15) names.push("stats_temp_directory");
    for (const name of names) {
      this.#tell(
        name,
        (value) =>
          this.#isInside(value)
            ? undefined
            : `The clone writes or removes ${value}, which is outside of it: set ${name} to ''.`,
      );
    }
    this.#logs("logging_collector", "log_directory", "log_filename");
    if (this.#preloaded().includes("pgauditlogtofile")) {
      this.#logs(undefined, "pgaudit.log_directory", "pgaudit.log_filename");
    }
  }

  /** What is loaded that acts by itself. */
  libraries(): void {
    const loaded = this.#preloaded();
    const ours = new Map(
      cloneParameters(this.options.majorVersion).map(({ name, value }) => [name, value]),
    );
    for (const { library, does, stoppedBy } of REACHING_OUT) {
      if (!loaded.includes(library)) continue;
      const isStopped = stoppedBy.length > 0 &&
        stoppedBy.every((name) => isSame(this.#value(name), ours.get(name) ?? ""));
      if (isStopped) continue;
      this.#tell("shared_preload_libraries", () =>
        `The clone preloads ${library}, and ${does}: ` +
        (stoppedBy.length === 0
          ? `start it without: -c shared_preload_libraries=''.`
          : `set ${stoppedBy.map((name) => `${name} to '${ours.get(name)}'`).join(" and ")}.`));
    }
  }

  #logs(collector: string | undefined, directoryName: string, fileName: string): void {
    if (collector !== undefined && isOff(this.#value(collector) || "off")) return;
    const directory = this.#value(directoryName) || "log";
    const file = this.#value(fileName);
    if (this.#isInside(`${directory}/${file}`)) return;
    const name = this.#isInside(directory) ? fileName : directoryName;
    this.#tell(
      name,
      () =>
        `The clone writes its log to ${directory}/${file}, which is outside of it: set ` +
        `${name} to another value.`,
    );
  }

  #preloaded(): string[] {
    return librariesOf(this.#value("shared_preload_libraries"));
  }

  #isInside(path: string): boolean {
    const { dataDirectory } = this.options;
    const full = path.startsWith("/") ? path : `${dataDirectory}/${path}`;
    return pathInside(full, dataDirectory) !== undefined;
  }

  #setting(name: string): Setting | undefined {
    return this.options.commandLine?.get(name) ?? this.configuration.settings.get(name);
  }

  #value(name: string): string {
    return this.#setting(name)?.value ?? DEFAULTS[name] ?? "";
  }

  /** @param warning Not asked if the value is empty; undefined if all is well. */
  #tell(name: string, warning: (value: string) => string | undefined): void {
    const value = this.#value(name);
    const text = value === "" ? undefined : warning(value);
    if (text === undefined) return;
    this.#add({
      setting: name,
      value: withoutPassword(value),
      from: this.#setting(name)?.from ?? "default",
      warning: text,
    });
  }

  #add({ setting, value, from, warning }: CloneHazard): void {
    this.found.push({ setting, value: visible(value), from, warning: visible(warning) });
  }
}

/** Whether a server has been started with a `postgresql.conf` that is not the clone's. */
export function isElsewhere(
  { commandLine, dataDirectory }: Pick<HazardOptions, "commandLine" | "dataDirectory">,
): boolean {
  const path = commandLine?.get("config_file")?.value;
  return path !== undefined && pathInside(path, dataDirectory) !== MAIN_CONF;
}

/** The text comes from a backup, and goes to terminals and logs. */
function visible(text: string): string {
  return text.replaceAll(
    /\p{Cc}/gu,
    (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** @see parse_bool in PostgreSQL, bool.c: each may be cut short where it stays unique. */
function isOff(value: string): boolean {
  return /^(of|off|f|fa|fal|fals|false|n|no|0)$/i.test(value.trim());
}

function isSame(value: string, ours: string): boolean {
  return value === ours || (isOff(value) && isOff(ours)) ||
    (value !== "" && ours !== "" && Number(value) === Number(ours));
}

function isLocal(addresses: string): boolean {
  const all = addresses.split(",").map((each) => each.trim().replaceAll('"', ""));
  return all.every((each) => ["", "localhost", "::1"].includes(each) || /^127\./.test(each));
}

function withoutPassword(value: string): string {
  return value.replaceAll(/(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)/gi, "$1********")
    .replaceAll(/(:\/\/[^:@/\s]*:)[^@/\s]*@/g, "$1********@");
}
