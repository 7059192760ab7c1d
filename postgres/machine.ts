/**
 * Questions to this machine: whether it has what a backup's configuration names, such as
 * directories, libraries and locales.
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

/** A file that can be read, one of bytes, and a directory in which files can be made. */
const CONDITIONS = {
  readable: '[ -r "$0" ]',
  file: '[ -f "$0" ]',
  writable: '[ -d "$0" ] && [ -w "$0" ] && [ -x "$0" ]',
} as const;

/** Asks only for what a setting names, and that once. */
export function thisMachine(options: MachineOptions): Machine {
  const { majorVersion, user } = options;
  const known = new Map<string, boolean | undefined>();
  const isThat = (condition: keyof typeof CONDITIONS, path: string) => {
    const question = `${condition} ${path}`;
    if (!known.has(question)) known.set(question, test(CONDITIONS[condition], path, user));
    return known.get(question);
  };
  const libraryDirectory = once(() => libraryDirectoryOf(majorVersion));
  const locales = once(localesHere);
  return {
    canWriteTo: (directory) => isThat("writable", directory) === true,
    // What cannot be told is not complained of.
    hasFile: (path) => isThat("readable", path) !== false,
    hasLibrary: (name, searchPath) => {
      const own = libraryDirectory();
      if (own === undefined) return undefined;
      const expanded = (path: string) => path.replace(/^\$libdir(?=\/|$)/, own);
      const paths = name.includes("/")
        ? [expanded(name)]
        : searchPath.split(":").map((directory) => `${expanded(directory.trim())}/${name}`);
      return paths.some((path) =>
        [path, `${path}.so`].some((each) => isThat("file", each) !== false)
      );
    },
    hasLocale: (name) => locales()?.has(normalized(name)),
  };
}

/** As the shell finds it; undefined if it does not end in time, or cannot be run. */
function test(condition: string, path: string, user: Identity): boolean | undefined {
  const code = inTime(["sh", "-c", condition, path], user)?.code;
  return code === 0 ? true : code === 1 ? false : undefined;
}

/** Runs a program, ours if we are not root; undefined if there is none. One that is late is killed. */
function inTime(command: readonly string[], user?: Identity): Deno.CommandOutput | undefined {
  const limited = ["timeout", "-s", "KILL", `${LOOK_SECONDS}`, ...command];
  const [program = "", ...args] = commandAs(isRoot() ? user : undefined, limited);
  try {
    return new Deno.Command(program, {
      args,
      cwd: "/",
      env: { LC_ALL: "C" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).outputSync();
  } catch {
    return undefined;
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

/** A user's name, wherever the machine has it from; undefined if it has none. */
export function userNameOf(uid: number): string | undefined {
  return outputOf("id", ["-nu", "--", `${uid}`]);
}

function outputOf(program: string, args: readonly string[]): string | undefined {
  const output = inTime([program, ...args]);
  const text = new TextDecoder().decode(output?.stdout).trim();
  return output?.success === true && text !== "" ? text : undefined;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
