/**
 * The PostgreSQL server that runs on a mount, if there is one.
 *
 * @module
 */

import { readBounded } from "./read_bounded.ts";

/** It has eight lines, two of them with paths. */
const PID_FILE_BYTES_MAX = 16 * 1024;

/** A server, as its `postmaster.pid` and the process table tell. */
export type ServerState =
  | { readonly state: "running"; readonly pid: number; readonly port: number }
  /** The file names a process that is not there, as after a crash or in another container. */
  | { readonly state: "gone"; readonly pid: number; readonly port: number }
  | { readonly state: "none" }
  /** We may not look, or the mount does not answer. */
  | { readonly state: "unknown" };

/**
 * Looks into the mount, so only for one whose process answers.
 *
 * @see src/include/utils/pidfile.h in PostgreSQL: the pid is line 1, the port line 4
 */
export async function serverOn(mountPath: string, procPath = "/proc"): Promise<ServerState> {
  let text: string | undefined;
  try {
    text = await readBounded(`${mountPath}/postmaster.pid`, PID_FILE_BYTES_MAX);
  } catch (error) {
    return { state: error instanceof Deno.errors.NotFound ? "none" : "unknown" };
  }
  if (text === undefined) return { state: "unknown" };
  const lines = text.split("\n");
  // A single-user backend writes its pid with a minus sign.
  const pid = Math.abs(Number(lines[0]));
  const port = Number(lines[3] ?? 0);
  if (!Number.isInteger(pid) || pid === 0) return { state: "unknown" };
  try {
    const name = (await Deno.readTextFile(`${procPath}/${pid}/comm`)).trim();
    return { state: /^(postgres|postmaster)/.test(name) ? "running" : "gone", pid, port };
  } catch {
    return { state: "gone", pid, port };
  }
}
