/**
 * A process that lives as long as this one, but belongs to another user.
 *
 * pg_probackup sends signal 0 to every process in a lock file, and gives up with an error if it may
 * not: with the pid of a process of root in the list, its owner could not even restore. So when
 * root mounts the catalog of somebody else, the pid in the list is of a process of that user. It
 * waits for the end of a pipe that this process holds, so it ends when this one does, even by
 * SIGKILL.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";

/** Ends by the end of its input alone, since the pid must stay as long as the mount. */
const WAIT_FOR_END = "trap '' HUP INT QUIT TERM; read -r _";

/** The process. */
export class LockKeeper {
  readonly #child: Deno.ChildProcess;
  #isStopped = false;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /**
   * Starts one.
   *
   * @param label Shown by `ps`.
   * @throws {PbkfsError} `Io` if it cannot be started.
   */
  static start(user: { readonly uid: number; readonly gid: number }, label: string): LockKeeper {
    try {
      const child = new Deno.Command("/bin/sh", {
        args: ["-c", WAIT_FOR_END, "pbkfs-store-lock", label],
        ...user,
        cwd: "/",
        clearEnv: true,
        stdin: "piped",
        stdout: "null",
        stderr: "null",
      }).spawn();
      return new LockKeeper(child);
    } catch (error) {
      throw new PbkfsError("Io", {
        what: `Cannot start a process as user ${user.uid}: ${(error as Error).message}`,
        cause: error,
      });
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Settles if the process ends before it is stopped: somebody has killed it. */
  get lost(): Promise<void> {
    return this.#child.status.then(() => {
      if (this.#isStopped) return new Promise<void>(() => {});
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
  }
}
