/**
 * Ends a mount from outside of its process.
 *
 * @module
 */

import { type ArgumentKind, checkArguments } from "../backup/mod.ts";
import { isAlive, isLocked, type Owner, pathsIn, readOwner } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import {
  ask,
  type ControlAnswer,
  type ControlRequest,
  describeHolders,
  detach,
  endGuardian,
  findMount,
  guardianOf,
  holdersOf,
  inTime,
  isListed,
  listMounts,
  type MountHolder,
  type MountUser,
  namingUsers,
  type PbkfsMount,
  removeMade,
  SOURCE_PREFIX,
  usersOf,
} from "../daemon/mod.ts";
import { findServed, type MountPlace } from "./find_mount.ts";
import { stopMountedServer, withStopCommand } from "./stop_server.ts";

/** Which mount to end, and how. */
export interface UnmountOptions extends MountPlace {
  /**
   * If it is in use here, hide it now; it ends when nobody uses it any more. If it is nowhere any
   * more, or kept only by other mount namespaces, end it now.
   */
  readonly force?: boolean | undefined;
  /**
   * For its process to bring all to disk and end. Left out: a minute, but only a moment for others
   * to let go of a mount that they keep.
   */
  readonly waitMs?: number | undefined;
  /** Stop the server that runs on it first, as whom it runs. */
  readonly stopServer?: boolean | undefined;
  /** Told what the unmount waits for. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** What became of a mount. */
export interface Unmounted extends PbkfsMount {
  /**
   * - `unmounted`: all is on disk, and its process has ended.
   * - `detached`: it is hidden; its process goes on for `users`, and ends with the last of them.
   * - `ended`: as `unmounted`, but it was taken from `users`, who get errors from it now.
   * - `cleaned`: its process had died. What it had not committed is gone, what it had is there.
   */
  readonly outcome: "unmounted" | "detached" | "ended" | "cleaned";
  /** The process that served it, if we know. */
  readonly pid?: number;
  /** Whom it was taken from, or who keeps it. */
  readonly users: readonly MountUser[];
}

const KINDS = {
  ...{ mountPath: "string?", diffPath: "string?", force: "boolean?", waitMs: "number?" },
  stopServer: "boolean?",
} as const satisfies Readonly<Record<string, ArgumentKind>>;

const WAIT_MS = 60_000;
/** For others to let go of a mount that they keep, if the caller does not say how long. */
const KEPT_WAIT_MS = 2_000;
/** After a lazy unmount: the time that a process without users needs to end. */
const LAZY_WAIT_MS = 3_000;
const LOOK_MS = 20;

/**
 * Unmounts, and returns when all is on disk and the process behind the mount is gone.
 *
 * @throws {PbkfsError} `NotMounted`; `MountBusy`, naming the processes; `MountKept` if it is
 * unmounted and all is on disk, but somebody elsewhere keeps it; what the daemon failed with when
 * it wrote to disk; `PostgresFailed` if the server was to be stopped, and did not.
 */
export async function unmount(options: UnmountOptions): Promise<Unmounted> {
  checkArguments("unmount", options, KINDS);
  const unmounted = await unmountNow(options);
  // Its process has done so, unless it had died, or had not the right to.
  const isFree = isLocked(unmounted.diffPath, systemLibc()) !== true;
  if (unmounted.outcome !== "detached" && isFree) removeMade(unmounted);
  return unmounted;
}

async function unmountNow(options: UnmountOptions): Promise<Unmounted> {
  const { force = false, waitMs = WAIT_MS } = options;
  const { mount, isMounted } = await findServed(options);
  const { mountPath, diffPath } = mount;
  if (options.stopServer === true && isMounted) await stopMountedServer(mount, options.onProgress);
  const owner = readOwner(diffPath);
  const pid = owner?.releasedAt === undefined ? owner?.pid : undefined;
  const pids = [pid, guardianOf(mount.diffPath)].filter((id) => id !== undefined);
  const served: Served = { owner, pids };
  const done = (outcome: Unmounted["outcome"], users: readonly MountUser[] = []): Unmounted => ({
    ...{ mountPath, diffPath, outcome, users },
    ...(pid !== undefined && { pid }),
  });
  let answer: ControlAnswer | undefined;
  try {
    answer = await askInTime(mount, "unmount", waitMs);
    if (answer === undefined && isMounted) {
      await endGuardian(diffPath, waitMs);
      return done(await withoutDaemon(mount));
    }
  } catch (error) {
    const isBusy = error instanceof PbkfsError && error.code === "MountBusy";
    if (isBusy && !force) throw await withStopCommand(await named(error, mount), mount);
    if (!isBusy) throw error;
    if (!isMounted) throw stuck(mount, pid, error);
    const users = usersOf(mountPath);
    await hide(mount);
    const ended = await isGone(mount, served, LAZY_WAIT_MS);
    return ended ? done("unmounted") : done("detached", users);
  }
  if (answer !== undefined && "kept" in answer) {
    const { device } = answer.kept;
    await detachCopy({ mountPath, diffPath }, device);
    if (!force) {
      await untilLetGo({ mount, served, ...answer.kept }, options);
      return done("unmounted");
    }
    if (await isGone(mount, served, LOOK_MS)) return done("unmounted");
    const holders = holdersOf(device);
    await askInTime(mount, "end", waitMs).catch((error) => {
      throw stuck(mount, pid, error);
    });
    if (await isGone(mount, served, waitMs)) return done("ended", holders);
    throw stuck(mount, pid);
  }
  if (await isGone(mount, served, waitMs)) return done("unmounted");
  throw new PbkfsError("MountBusy", {
    what: `"${mountPath}" is unmounted, but process ${pid} has not ended in ${waitMs} ms`,
    todo: `Look at "${pathsIn(diffPath).log}".`,
  });
}

/** Detaches a mount, and what was made of it by mount --bind. */
async function hide({ mountPath, diffPath }: PbkfsMount): Promise<void> {
  const device = findMount(mountPath)?.device;
  await detach(mountPath, systemLibc(), { lazy: true });
  const copies = listMounts().filter((mount) => mount.device === device);
  for (const copy of copies.reverse()) {
    await detachCopy({ mountPath: copy.mountPath, diffPath }, device, { lazy: true });
  }
}

/**
 * The daemon unmounts in its own mount namespace. Ours may be another one, with a copy. Place and
 * device may be what who answers has said; that it is a mount of this diff is what the kernel says.
 */
async function detachCopy(
  { mountPath, diffPath }: PbkfsMount,
  device: string | undefined,
  options = { lazy: false },
): Promise<void> {
  const found = findMount(mountPath);
  const isCopy = found?.type === "fuse.pbkfs" && found.source === `${SOURCE_PREFIX}${diffPath}`;
  if (isCopy && found.device === device) await detach(mountPath, systemLibc(), options);
}

/**
 * Has all brought to disk, and waits until nobody keeps the mount any more.
 *
 * @throws {PbkfsError} `MountKept`, naming the processes; what could not be brought to disk.
 */
async function untilLetGo(
  kept: {
    readonly mount: PbkfsMount;
    readonly pid: number;
    readonly served: Served;
    readonly device: string;
  },
  { waitMs = KEPT_WAIT_MS, onProgress = () => {} }: UnmountOptions,
): Promise<void> {
  const { mount, pid, served, device } = kept;
  const deadline = Date.now() + waitMs;
  // It may be that the process is only slow to end.
  if (await isGone(mount, served, LOOK_MS)) return;
  const found = holdersOf(device);
  if (found.length > 0) {
    onProgress(`"${mount.mountPath}" is unmounted here, but kept by ${describeHolders(found)}`);
  }
  // Nobody answers if it has ended meanwhile.
  await askInTime(mount, "sync", Math.max(waitMs, WAIT_MS));
  if (await isGone(mount, served, Math.max(0, deadline - Date.now()))) return;
  throw keptBy(holdersOf(device), mount, pid);
}

function keptBy(
  holders: readonly MountHolder[],
  { mountPath, diffPath }: PbkfsMount,
  pid: number,
): PbkfsError {
  return new PbkfsError("MountKept", {
    what:
      `"${mountPath}" is unmounted here, but kept by ${describeHolders(holders)}. All that was ` +
      `written is on disk. Process ${pid} goes on, and the diff stays locked, until they end`,
    todo: `End them; or end process ${pid} with: pbkfs unmount --force -d "${diffPath}"`,
  });
}

/** What we ask for is not done, and nothing else is left to ask for. */
function stuck({ diffPath }: PbkfsMount, pid: number | undefined, cause?: unknown): PbkfsError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new PbkfsError("MountBusy", {
    what: `Process ${pid ?? "unknown"}, which has the diff "${diffPath}", has not ended${why}`,
    todo: `Look at "${
      pathsIn(diffPath).log
    }". What was synced is safe, should you have to kill it.`,
    cause,
  });
}

/** The daemon's own view of the processes is limited to what its user may see; ours may be wider. */
async function named(error: unknown, { mountPath }: PbkfsMount): Promise<unknown> {
  return await namingUsers(mountPath, () => Promise.reject(error)).catch((named) => named);
}

/** @returns undefined if nobody listens. @throws {PbkfsError} what is answered; `MountBusy`. */
async function askInTime(
  { diffPath, mountPath }: PbkfsMount,
  operation: ControlRequest["operation"],
  waitMs: number,
): Promise<ControlAnswer | undefined> {
  const asked = ask(pathsIn(diffPath).socket, { operation });
  const answer = await inTime(asked, waitMs, "late" as const);
  if (answer === "late") {
    throw new PbkfsError("MountBusy", {
      what: `The process behind "${mountPath}" has not answered "${operation}" in ${
        waitMs / 1000
      } s`,
      todo: "Wait longer with --wait SECONDS, or detach it with --force.",
    });
  }
  if (answer !== undefined && "error" in answer) throw PbkfsError.fromJSON(answer.error);
  return answer;
}

/** Its process died, so there is nothing to wait for; or its diff was removed, and it lives. */
async function withoutDaemon({ mountPath, diffPath }: PbkfsMount): Promise<"cleaned"> {
  const libc = systemLibc();
  if (!isListed({ mountPath, diffPath })) return "cleaned"; // Its guardian was faster.
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

/** Whose mount it was that ends: who waits for the diff may have it the moment after. */
interface Served {
  readonly owner: Owner | undefined;
  /** Of its process and its guardian. */
  readonly pids: readonly number[];
}

function isSameOwner(one: Owner | undefined, other: Owner | undefined): boolean {
  return one?.pid === other?.pid && one?.startedAt === other?.startedAt;
}

/** Waits until the one who had the diff has let go of it, and its last processes have ended. */
async function isGone(
  { diffPath }: PbkfsMount,
  { owner, pids }: Served,
  waitMs: number,
): Promise<boolean> {
  const libc = systemLibc();
  const deadline = Date.now() + waitMs;
  for (;;) {
    const isLetGo = isLocked(diffPath, libc) !== true || !isSameOwner(readOwner(diffPath), owner);
    const isFree = isLetGo && !pids.some(isAlive);
    if (isFree || Date.now() >= deadline) return isFree;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
