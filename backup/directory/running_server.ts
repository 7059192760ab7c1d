/**
 * The check that no server runs on a data directory. What it writes would be read half: pages of one
 * moment beside pages of another.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import type { ControlData } from "./control_data.ts";
import { readSmall } from "./walk.ts";

/** Made by a server before it does anything else, and removed by it at its end. */
export const PID_FILE = "postmaster.pid";
const PID_FILE_BYTES_MAX = 4096;

/**
 * Refuses a directory that a server runs on, or may run on.
 *
 * @param dirPath Absolute, without symbolic links.
 * @throws {PbkfsError} `StoreLocked`
 */
export function mustHaveNoServer(dirPath: string, { state }: ControlData): void {
  const bytes = readSmall(dirPath, PID_FILE, PID_FILE_BYTES_MAX);
  if (bytes === undefined) return;
  const pid = Number.parseInt(new TextDecoder().decode(bytes), 10);
  if (isIn(pid, dirPath)) {
    throw new PbkfsError("StoreLocked", {
      what: `A server, process ${pid}, runs on "${dirPath}"`,
      todo: "Take a base backup with pg_basebackup and mount that, or stop the server.",
    });
  }
  if (state === "shut down" || state === "shut down in recovery") return;
  throw new PbkfsError("StoreLocked", {
    what: `"${dirPath}/${PID_FILE}" is there, so a server runs on the directory or has crashed; ` +
      `process ${pid} of this machine is not that server`,
    todo: "If none runs on it in a container or on another machine either, remove that file.",
  });
}

/** Whether a process lives that works in the directory; one that we may not ask may do so. */
function isIn(pid: number, dirPath: string): boolean {
  if (!(pid > 0)) return false;
  try {
    return Deno.readLinkSync(`/proc/${pid}/cwd`) === dirPath;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
