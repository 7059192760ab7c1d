/**
 * The settings on a server's command line, as `postmaster.opts` has it.
 *
 * @module
 */

import type { Setting } from "./configuration.ts";

/** Options of `postgres` that stand for a setting. @see main in PostgreSQL, postmaster.c */
const SHORT: Readonly<Record<string, string>> = {
  B: "shared_buffers",
  D: "",
  d: "",
  f: "",
  h: "listen_addresses",
  k: "unix_socket_directories",
  N: "max_connections",
  o: "",
  p: "port",
  r: "",
  S: "work_mem",
  t: "",
  W: "post_auth_delay",
};

/** Where such a setting is from, for people. */
const FROM = "command line";

/**
 * The settings that a command line gives; they win over all files.
 *
 * @param opts The text of `postmaster.opts`: the program, and each argument in double quotes, in
 *   which nothing is escaped.
 * @see CreateOptsFile in PostgreSQL, postmaster.c
 */
export function commandLineSettings(opts: string): Map<string, Setting> {
  const found = new Map<string, Setting>();
  const set = (name: string, value: string): void => {
    if (name !== "") found.set(name.toLowerCase().replaceAll("-", "_"), { value, from: FROM });
  };
  const setPair = (pair: string): void => {
    const equals = pair.indexOf("=");
    // Without a value it is on.
    if (equals < 0) set(pair, "on");
    else set(pair.slice(0, equals), pair.slice(equals + 1));
  };
  const args = argumentsOf(opts);
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg.startsWith("--")) {
      setPair(arg.slice(2));
      continue;
    }
    if (!arg.startsWith("-")) continue;
    const letter = arg[1] ?? "";
    if (letter === "i") set("listen_addresses", "*");
    if (letter !== "c" && !(letter in SHORT)) continue;
    const value = arg.length > 2 ? arg.slice(2) : args[++at] ?? "";
    if (letter === "c") setPair(value);
    else set(SHORT[letter]!, value);
  }
  return found;
}

function argumentsOf(opts: string): string[] {
  const line = opts.split("\n", 1)[0] === opts ? opts : opts.replace(/\n$/, "");
  const start = line.indexOf(' "');
  if (start < 0 || !line.endsWith('"')) return [];
  return line.slice(start + 2, -1).split('" "');
}
