/**
 * The fast paths: parts that make a mount fast without changing what it does. Each can be left out,
 * to find out which part misbehaves on a machine, and to test and measure the others by themselves.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";

/** What can be left out. */
export const FAST_PATHS = {
  read_workers: "threads for reads that wait for the disk, and for large ones",
  commit_thread: "a thread for syncs and commits",
  system_codecs: "the system's decompression libraries",
  write_back: "writes gathered by the kernel",
  skip_opens: "no requests for open and close",
  clear_privileges: "no request for security.capability before each write",
  spin: "a moment's look for the next request before sleeping",
  read_ahead: "a longer read-ahead of the kernel, where we may set it",
} as const;

/** The name of one. */
export type FastPath = keyof typeof FAST_PATHS;

/** Those in use. */
export type FastPaths = ReadonlySet<FastPath>;

/** The environment variable that names what a daemon is to do without, separated by commas. */
export const WITHOUT_VARIABLE = "PBKFS_WITHOUT";

/**
 * All but those that the environment names.
 *
 * @throws {PbkfsError} `Usage` if it names one that there is not.
 */
export function fastPathsWanted(env: Pick<typeof Deno.env, "get"> = Deno.env): FastPaths {
  const names = Object.keys(FAST_PATHS) as FastPath[];
  const without = (env.get(WITHOUT_VARIABLE) ?? "").split(",").map((name) => name.trim());
  for (const name of without) {
    if (name === "" || name in FAST_PATHS) continue;
    throw new PbkfsError("Usage", {
      what: `${WITHOUT_VARIABLE} names "${name}", which is none of ${names.join(", ")}`,
      todo: `Mend or unset ${WITHOUT_VARIABLE}.`,
    });
  }
  return new Set(names.filter((name) => !without.includes(name)));
}
