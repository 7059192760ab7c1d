/**
 * The processes that use a mount.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { asRoot } from "../ffi/credentials.ts";

/** A process with something open in a mount. */
export interface MountUser {
  /** Its number. */
  readonly pid: number;
  /** What it is called. */
  readonly command: string;
}

/** Processes whose working directory, root, program or open files are in `mountPath`. */
export function usersOf(mountPath: string, procPath = "/proc"): MountUser[] {
  const isInside = (path: string) => path === mountPath || path.startsWith(`${mountPath}/`);
  return asRoot(() =>
    processesOf(procPath)
      .filter((pid) => linksOf(`${procPath}/${pid}`).some(isInside))
      .map((pid) => ({ pid, command: commandOf(`${procPath}/${pid}`) }))
  );
}

/** The processes that we see. */
export function processesOf(procPath: string): number[] {
  return listOf(procPath).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** For messages. */
function describeUsers(users: readonly MountUser[]): string {
  return users.map(({ pid, command }) => `${command} (${pid})`).join(", ");
}

/**
 * Runs `body`, and puts into its `MountBusy` who uses the mount, as far as we may know.
 *
 * @throws What `body` throws.
 */
export async function namingUsers<T>(mountPath: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "MountBusy") throw error;
    const users = usersOf(mountPath);
    if (users.length === 0 || error.message.includes(" by ")) throw error;
    throw new PbkfsError("MountBusy", {
      what: `"${mountPath}" is in use by ${describeUsers(users)}`,
      todo: error.todo,
      cause: error,
    });
  }
}

function linksOf(process: string): string[] {
  const names = ["cwd", "root", "exe", ...listOf(`${process}/fd`).map((fd) => `fd/${fd}`)];
  return names.map((name) => {
    try {
      return Deno.readLinkSync(`${process}/${name}`);
    } catch {
      // The process has ended, or is not ours to look at.
      return "";
    }
  });
}

/** Names in a directory; none if it is gone, or not ours to look at. */
export function listOf(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** For messages. @param process Such as `/proc/812`. */
export function commandOf(process: string): string {
  try {
    return Deno.readTextFileSync(`${process}/comm`).trim();
  } catch {
    return "a process";
  }
}
