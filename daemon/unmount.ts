/**
 * Ends a mount from outside of its process.
 *
 * @module
 */

import { isAlive, isLocked, readOwner } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { ask } from "./control_socket.ts";
import { detach } from "./detach.ts";
import { findMount, type MountPlace } from "./find_mount.ts";
import type { PbkfsMount } from "./mount_table.ts";
import type { ControlAnswer } from "./protocol.ts";
import { type MountUser, namingUsers, usersOf } from "./users_of.ts";

/** Which mount to end, and how. */
export interface UnmountOptions extends MountPlace {
  /** If it is in use, hide it now; it ends when nobody uses it any more. */
  readonly force?: boolean | undefined;
  /** For its process to bring all to disk and end. */
  readonly waitMs?: number | undefined;
}

/** What became of a mount. */
export interface Unmounted extends PbkfsMount {
  /**
   * - `unmounted`: all is on disk, and its process has ended.
   * - `detached`: it is hidden; its process goes on for `users`, and ends with the last of them.
   * - `cleaned`: its process had died. What it had not committed is gone, what it had is there.
   */
  readonly outcome: "unmounted" | "detached" | "cleaned";
  /** The process that served it, if we know. */
  readonly pid?: number;
  readonly users: readonly MountUser[];
}

const WAIT_MS = 60_000;
/** After a lazy unmount: the time that a process without users needs to end. */
const LAZY_WAIT_MS = 3_000;
const LOOK_MS = 20;

/**
 * Unmounts, and returns when all is on disk and the process behind the mount is gone.
 *
 * @throws {PbkfsError} `NotMounted`; `MountBusy`, naming the processes; what the daemon failed
 * with when it wrote to disk.
 */
export async function unmount(options: UnmountOptions): Promise<Unmounted> {
  const { force = false, waitMs = WAIT_MS } = options;
  const mount = findMount(options);
  const owner = readOwner(mount.diffPath);
  const pid = owner?.releasedAt === undefined ? owner?.pid : undefined;
  const done = (outcome: Unmounted["outcome"], users: readonly MountUser[] = []): Unmounted => ({
    ...{ ...mount, outcome, users },
    ...(pid !== undefined && { pid }),
  });
  try {
    const answer = await askToUnmount(mount, waitMs);
    if (answer === undefined) return done(await withoutDaemon(mount));
    if ("error" in answer) throw PbkfsError.fromJSON(answer.error);
  } catch (error) {
    const isBusy = error instanceof PbkfsError && error.code === "MountBusy";
    if (!isBusy || !force) throw await named(error, mount);
    const users = usersOf(mount.mountPath);
    await detach(mount.mountPath, systemLibc(), { lazy: true });
    const ended = await isGone(mount, pid, LAZY_WAIT_MS);
    return ended ? done("unmounted") : done("detached", users);
  }
  if (await isGone(mount, pid, waitMs)) return done("unmounted");
  throw new PbkfsError("MountBusy", {
    what: `"${mount.mountPath}" is unmounted, but process ${pid} has not ended in ${waitMs} ms`,
    todo: `Look at "${mount.diffPath}/pbkfs.log".`,
  });
}

/** The daemon's own view of the processes is limited to what its user may see; ours may be wider. */
async function named(error: unknown, { mountPath }: PbkfsMount): Promise<unknown> {
  return await namingUsers(mountPath, () => Promise.reject(error)).catch((named) => named);
}

async function askToUnmount(
  { diffPath, mountPath }: PbkfsMount,
  waitMs: number,
): Promise<ControlAnswer | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new PbkfsError("MountBusy", {
        what: `The process behind "${mountPath}" has not unmounted it in ${waitMs / 1000} s`,
        todo: "Wait longer with --wait SECONDS, or detach it with --force.",
      }),
    );
  }, waitMs);
  try {
    return await Promise.race([ask(`${diffPath}/control.sock`, { operation: "unmount" }), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Its process died, so there is nothing to wait for; or its diff was removed, and it lives. */
async function withoutDaemon({ mountPath, diffPath }: PbkfsMount): Promise<"cleaned"> {
  const libc = systemLibc();
  try {
    await detach(mountPath, libc);
  } catch (error) {
    const isBusy = error instanceof PbkfsError && error.code === "MountBusy";
    if (!isBusy || isLocked(diffPath, libc) !== false) throw error;
    // Whoever has files open in it gets nothing but errors already.
    await detach(mountPath, libc, { lazy: true });
  }
  return "cleaned";
}

/** Waits until the diff can be mounted again, and its last process has ended. */
async function isGone(
  { diffPath }: PbkfsMount,
  pid: number | undefined,
  waitMs: number,
): Promise<boolean> {
  const libc = systemLibc();
  const deadline = Date.now() + waitMs;
  for (;;) {
    const isFree = isLocked(diffPath, libc) !== true && (pid === undefined || !isAlive(pid));
    if (isFree || Date.now() >= deadline) return isFree;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
