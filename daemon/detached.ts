/**
 * Mounts that are nowhere any more, while their processes go on: another mount namespace has a copy,
 * or files in it are open. The kernel's list of mounts does not show them, so they are found by
 * what they still hold: the locks on their diffs.
 *
 * @module
 * @see proc_locks(5)
 */

import { DIFF_NAMES, isLocked, pathsIn, readBinding, readOwner } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import type { MountStatus } from "../observe/mod.ts";
import { ask } from "./control_socket.ts";
import { inTime } from "./in_time.ts";
import { describeHolders, holdersOf, type MountHolder } from "./holders.ts";
import { listMounts, type PbkfsMount, SOURCE_PREFIX } from "./mount_table.ts";
import { listOf } from "./users_of.ts";

/** A mount that is nowhere; `mountPath` is where it was. */
export interface DetachedMount extends PbkfsMount {
  readonly status: MountStatus;
  readonly holders: readonly MountHolder[];
}

const ANSWER_MS = 3000;

/** All of this machine, also such as do not answer; of other users only if we are root. */
export async function listDetached(): Promise<(DetachedMount | PbkfsMount)[]> {
  const known = new Set(listMounts().map(({ source }) => source));
  const unknown = lockedDiffs().filter((path) => !known.has(`${SOURCE_PREFIX}${path}`));
  const found = await Promise.all(unknown.map(detachedMount));
  return found.filter((mount) => mount !== undefined);
}

/** The mount of a diff, if it is nowhere; of one that does not answer, where it was last. */
export async function detachedMount(
  diffPath: string,
): Promise<DetachedMount | PbkfsMount | undefined> {
  const asked = ask(pathsIn(diffPath).socket, { operation: "status" }).catch(() => undefined);
  const answer = await inTime(asked, ANSWER_MS, "silent" as const);
  if (answer === "silent") return { diffPath, mountPath: lastPlaceOf(diffPath) };
  if (answer === undefined || !("status" in answer)) return undefined;
  const { status } = answer;
  const { device, isDetached, mountPath } = status;
  // We may be in another namespace than its process.
  const isNowhere = device !== undefined && isDetached &&
    listMounts().every((mount) => mount.device !== device);
  return isNowhere ? { mountPath, diffPath, status, holders: holdersOf(device) } : undefined;
}

/** Says of a diff that is in use by a mount that is nowhere, who keeps it, and how it ends. */
export async function explained(error: PbkfsError, diffPath: string): Promise<PbkfsError> {
  if (error.code !== "DiffInUse" || isLocked(diffPath, systemLibc()) !== true) return error;
  const found = await detachedMount(diffPath);
  if (found === undefined || !("status" in found)) return error;
  const { status, mountPath, holders } = found;
  return new PbkfsError("DiffInUse", {
    what: `The diff "${diffPath}" is in use by process ${status.pid}, whose mount on ` +
      `"${mountPath}" is detached, but kept by ${describeHolders(holders)}`,
    todo: `End what keeps it, or end process ${status.pid} with: ` +
      `pbkfs unmount --force -d "${diffPath}"`,
    cause: error,
  });
}

/** Where a diff was mounted last. */
function lastPlaceOf(diffPath: string): string {
  try {
    return readBinding(diffPath)?.mountPath ?? "";
  } catch {
    return "";
  }
}

/** Diffs on which a process that we may look at has the lock. */
function lockedDiffs(): string[] {
  const paths = lockers().flatMap((pid) =>
    listOf(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
      .filter((path) => path.endsWith(`/${DIFF_NAMES.lock}`))
      .map((path) => path.slice(0, -DIFF_NAMES.lock.length - 1))
      // In another mount namespace the path may mean another directory.
      .filter((path) => readOwner(path)?.pid === pid)
  );
  return [...new Set(paths)];
}

/** Processes that hold a lock by flock(2). */
function lockers(): number[] {
  try {
    // 3: FLOCK  ADVISORY  WRITE 812 fe:00:1234 0 EOF
    const found = Deno.readTextFileSync("/proc/locks").matchAll(/FLOCK +\S+ +WRITE +(\d+)/g);
    return [...new Set([...found].map(([, pid]) => Number(pid)))];
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}
