/**
 * What this machine has of what a backup's configuration names.
 *
 * The paths are somebody else's, and who asks may be the process that serves the mount: one that
 * leads into the mount, or to a server that is down, would make it wait for ever. So another process
 * looks, as the server's user, and not for long.
 *
 * @module
 */

import { commandAs, type Identity, isRoot } from "./identity.ts";
import { tryFindInstallation } from "./installation.ts";
import type { Machine } from "./machine_settings.ts";

/** Who runs the server, and where. */
export interface MachineOptions {
  readonly majorVersion: number;
  readonly user: Identity;
}

const LOOK_SECONDS = 2;

/** Asks only for what a setting names, and that once. */
export function thisMachine(options: MachineOptions): Machine {
  const { majorVersion, user } = options;
  const isThat = (condition: Condition, path: string) => test(condition, path, user);
  const libraryDirectory = once(() => libraryDirectoryOf(majorVersion));
  const locales = once(localesHere);
  return {
    canWriteTo: (directory) =>
      (["-d", "-w", "-x"] as const).every((condition) => isThat(condition, directory) === true),
    // What cannot be told is not complained of.
    hasFile: (path) => isThat("-r", path) !== false,
    hasLibrary: (name, searchPath) => {
      const own = libraryDirectory();
      if (own === undefined) return undefined;
      const expanded = (path: string) => path.replace(/^\$libdir(?=\/|$)/, own);
      const paths = name.includes("/")
        ? [expanded(name)]
        : searchPath.split(":").map((directory) => `${expanded(directory.trim())}/${name}`);
      return paths.some((path) =>
        [path, `${path}.so`].some((each) => isThat("-f", each) !== false)
      );
    },
    hasLocale: (name) => locales()?.has(normalized(name)),
  };
}

/** A file is readable, a directory, a file of bytes, writable, to be entered. */
type Condition = "-r" | "-d" | "-f" | "-w" | "-x";

/** As test(1) finds it; undefined if it does not end in time, or cannot be run. */
function test(condition: Condition, path: string, user: Identity): boolean | undefined {
  const command = ["timeout", "-s", "KILL", `${LOOK_SECONDS}`, "test", condition, path];
  const [program = "", ...args] = commandAs(isRoot() ? user : undefined, command);
  try {
    const { code } = new Deno.Command(program, {
      args,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return code === 0 ? true : code === 1 ? false : undefined;
  } catch {
    return undefined; // There is no such program.
  }
}

/** Where the programs of a version look for libraries; undefined if it is not installed here. */
function libraryDirectoryOf(majorVersion: number): string | undefined {
  const binDir = tryFindInstallation(majorVersion)?.binDir;
  return binDir && outputOf(`${binDir}/pg_config`, ["--pkglibdir"]);
}

/** undefined where there is no program that tells. */
function localesHere(): Set<string> | undefined {
  const text = outputOf("locale", ["-a"]);
  return text === undefined ? undefined : new Set(text.split("\n").map(normalized));
}

/** `en_US.UTF-8` and `en_US.utf8` are one. */
function normalized(locale: string): string {
  return locale.trim().replace(
    /\.([^@]*)/,
    (_, charset) => `.${charset.toLowerCase().replaceAll(/[^a-z0-9]/g, "")}`,
  );
}

function outputOf(program: string, args: readonly string[]): string | undefined {
  try {
    const { success, stdout } = new Deno.Command(program, {
      args: [...args],
      env: { LC_ALL: "C" },
      stdin: "null",
      stderr: "null",
    }).outputSync();
    const text = new TextDecoder().decode(stdout).trim();
    return success && text !== "" ? text : undefined;
  } catch {
    return undefined; // There is no such program.
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
