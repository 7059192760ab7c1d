/**
 * Ends a mount from outside of its process.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { ask } from "./control_socket.ts";
import { detach } from "./detach.ts";
import { absolute } from "./environment.ts";
import { findPbkfsMount, type PbkfsMount } from "./mount_table.ts";
import type { MountStatus } from "./protocol.ts";
import { usersOf } from "./users_of.ts";

/**
 * Unmounts, and returns when all is on disk and the daemon has let go of the diff.
 *
 * @returns What was unmounted; `daemon` tells whether its process was still there.
 * @throws {PbkfsError} `NotMounted`; `MountBusy`, naming the processes; what the daemon failed
 * with when it wrote to disk.
 */
export async function unmount(path: string): Promise<PbkfsMount & { readonly daemon: boolean }> {
  const mount = pbkfsMountAt(path);
  try {
    const answer = await ask(`${mount.diffPath}/control.sock`, { operation: "unmount" });
    if (answer === undefined) {
      // Its process died; what it had not committed is gone, what it had is in the diff.
      await detach(mount.mountPath, systemLibc());
      return { ...mount, daemon: false };
    }
    if ("error" in answer) throw PbkfsError.fromJSON(answer.error);
    return { ...mount, daemon: true };
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "MountBusy") throw error;
    const users = usersOf(mount.mountPath);
    if (users.length === 0) throw error;
    throw new PbkfsError("MountBusy", {
      what: `${error.message} by ${
        users.map(({ pid, command }) => `${command} (${pid})`).join(", ")
      }`,
      todo: error.todo,
      cause: error,
    });
  }
}

/** What a mount tells of itself. @throws {PbkfsError} `NotMounted`. */
export async function mountStatus(path: string): Promise<MountStatus> {
  const mount = pbkfsMountAt(path);
  const answer = await ask(`${mount.diffPath}/control.sock`, { operation: "status" });
  if (answer === undefined) {
    throw new PbkfsError("NotMounted", {
      what: `The process behind the mount on "${mount.mountPath}" is gone`,
      todo: `Clean up with: pbkfs unmount -D "${mount.mountPath}"`,
    });
  }
  if ("error" in answer) throw PbkfsError.fromJSON(answer.error);
  if ("status" in answer) return answer.status;
  throw new PbkfsError("Bug", { what: `Unexpected answer ${JSON.stringify(answer)}` });
}

function pbkfsMountAt(path: string): PbkfsMount {
  const given = absolute(path);
  const found = findPbkfsMount(given) ?? findPbkfsMount(realPathIfAny(given));
  if (found !== undefined) return found;
  throw new PbkfsError("NotMounted", {
    what: `There is no pbkfs mount on "${path}"`,
    todo: "List the mounts of this host with: findmnt -t fuse.pbkfs",
  });
}

function realPathIfAny(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
