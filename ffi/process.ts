/**
 * A check whether a process is alive.
 *
 * @module
 */

import process from "node:process";

/**
 * As pg_probackup asks: signal 0 reaches it, or may not, for it may belong to another user. Unlike
 * pg_probackup we do not wait for one that has ended, but whose parent has not noticed yet: in a
 * container without an init process that can take for ever.
 */
export function isAlive(pid: number): boolean {
  try {
    // pid (command) state ...; the command may hold anything.
    return !/\) [ZX] [^)]*$/.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return isSignalable(pid);
  }
}

/** Where `/proc` does not show the processes of others. */
function isSignalable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== "ESRCH";
  }
}
