/**
 * Mounts a backup: checks everything that can be checked, then starts the process behind it.
 *
 * @module
 */

import {
  type ArgumentKind,
  checkArguments,
  type ProbackupOptions,
  sourceOf,
} from "../backup/mod.ts";
import { type Binding, readBinding, type WalPlace } from "../binding/mod.ts";
import {
  actForOwnerOf,
  checkDescriptors,
  checkDiffPlace,
  checkFuse,
  checkMountDir,
  checkMountOutside,
  checkRequest,
  environment,
  fastPathsWanted,
  interruptible,
  loadThreads,
  makeMountDirectory,
  type MountRequest,
  serveMount,
  startDaemon,
  type StartedMount,
  unmakeMountDirectory,
  untilEnd,
  userOf,
} from "../daemon/mod.ts";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { absolute, realPathOf } from "../ffi/real_path.ts";
import { DEFAULT_LOGGING, type LogOptions, type MetricsAddress } from "../observe/mod.ts";
import { readWorkerCount } from "../overlay/mod.ts";
import { findBackup, isOfDirectory } from "./find_backup.ts";
import { notifyManager } from "./notify.ts";

/** What to mount, and where. A diff that was mounted before knows all that is left out. */
export interface MountOptions extends ProbackupOptions {
  /** What pg_probackup gets with `-B`. */
  readonly catalogPath?: string;
  /** A data directory, instead of a backup of a catalog. */
  readonly fromPath?: string;
  /** May be left out if the catalog has one. */
  readonly instance?: string;
  /** An id, or `latest`, which a new diff gets if it is left out. */
  readonly backupId?: string;
  /** Where changes go; made if absent. */
  readonly diffPath: string;
  /** An empty directory; made if absent, and removed with the mount then. */
  readonly mountPath?: string;
  /** For a new diff, where `pg_wal` is; outside if left out. */
  readonly wal?: WalPlace;
  /** false: watch the backups, do not lock them. */
  readonly storeLock?: boolean;
  /** Take the diff although another machine may have it. */
  readonly force?: boolean;
  /** For the mount to answer, and for others to let go of what it needs. */
  readonly waitMs?: number;
  /** false: if the process behind the mount dies, nobody mounts again. */
  readonly restart?: boolean;
  /** Left out: text, to `pbkfs.log` in the diff. */
  readonly logging?: LogOptions;
  /** Where to serve metrics; nowhere if left out. */
  readonly metrics?: MetricsAddress | undefined;
  /** Serve, read-only, what is left of a damaged diff. */
  readonly salvage?: boolean | undefined;
  /** Told whom the start waits for. */
  readonly onProgress?: (text: string) => void;
}

const KINDS = {
  ...{ diffPath: "string", catalogPath: "string?", instance: "string?", backupId: "string?" },
  ...{ fromPath: "string?" },
  ...{ mountPath: "string?", storeLock: "boolean?", force: "boolean?", waitMs: "number?" },
  ...{ restart: "boolean?", probackup: "string?", useProbackup: "boolean?" },
  ...{ probackupTimeoutMs: "number?", salvage: "boolean?" },
} as const satisfies Readonly<Record<string, ArgumentKind>>;

/** For the mount to answer, if the caller does not say. */
const WAIT_MS = 60_000;

/** Checks what can be refused before anything is made. @throws {PbkfsError} the first refusal. */
async function prepareMount(options: MountOptions): Promise<MountRequest> {
  checkArguments("mount", options, KINDS);
  if (options.wal !== undefined && !["inside", "outside"].includes(options.wal)) {
    throw new PbkfsError("Usage", {
      what: `mount: wal must be "inside" or "outside", and is ${JSON.stringify(options.wal)}`,
      todo: "See the documentation of the function.",
    });
  }
  const { wal, storeLock, force, waitMs, logging = DEFAULT_LOGGING, metrics, salvage } = options;
  checkDescriptors(systemLibc().descriptorsMax(), readWorkerCount());
  checkFuse(environment());
  const givenDiff = realPathOf(absolute(options.diffPath));
  const binding = readBinding(givenDiff);
  if (binding === undefined && salvage === true) throw nothingToSalvage(options.diffPath);
  const place = completed(options, binding);
  const isDirectory = isOfDirectory(options, binding);
  if (isDirectory) mustLieOutside(place);
  const isNamed = options.mountPath !== undefined;
  const made = makeMountDirectory(place.mountPath, { isNamed });
  try {
    const mountPath = checkMountDir(place.mountPath);
    if (!isNamed) mustBeOfOwner(mountPath, givenDiff);
    const backup = await findBackup(options, place, binding);
    const { catalogPath } = backup.identity;
    if (isDirectory) checkMountOutside(mountPath, catalogPath);
    const diffPath = checkDiffPlace(options.diffPath, {
      ...{ catalogPath, mountPath, called: sourceOf(backup).placeName },
    });
    if (binding !== undefined) checkRequest(binding, { backup, diffPath, wal });
    const actFor = userOf(backup);
    return {
      ...{ backup, diffPath, mountPath, wal, logging, metrics },
      isDirectoryMade: made !== undefined,
      ...(storeLock !== undefined && { storeLock }),
      ...(actFor !== undefined && { actFor }),
      ...(force !== undefined && { force }),
      ...(salvage === true && { salvage }),
      ...(waitMs !== undefined && { waitMs }),
    };
  } catch (error) {
    if (made !== undefined) unmakeMountDirectory(made);
    throw error;
  }
}

/** Does what a prepared mount is for; if that fails, nothing is left of the preparation. */
async function orUnmake<T>(
  { isDirectoryMade, mountPath }: MountRequest,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (isDirectoryMade === true) unmakeMountDirectory(mountPath);
    throw error;
  }
}

function nothingToSalvage(diffPath: string): PbkfsError {
  return new PbkfsError("DiffMissing", {
    what: `There is no diff in "${diffPath}" of which something could be salvaged`,
    todo: "Give the directory that mount got with -d.",
  });
}

/** What must be known: given, or from the binding. */
function completed(
  options: MountOptions,
  binding: Binding | undefined,
): { readonly catalogPath: string; readonly mountPath: string } {
  const { diffPath, mountPath = binding?.mountPath } = options;
  const catalogPath = options.fromPath ?? options.catalogPath ?? binding?.catalogPath;
  if (catalogPath !== undefined && mountPath !== undefined) return { catalogPath, mountPath };
  throw new PbkfsError("Usage", {
    what: `There is no diff in "${diffPath}" yet that would tell the catalog and the mount point`,
    todo:
      "Give the catalog with -B, or a data directory with --from, and the mount directory with -D.",
  });
}

/** A mount directory that is missing is not made in a data directory, not for a moment either. */
function mustLieOutside(
  place: { readonly catalogPath: string; readonly mountPath: string },
): void {
  const mountPath = absolute(place.mountPath);
  const slash = mountPath.lastIndexOf("/");
  const parent = realPathOf(mountPath.slice(0, slash) || "/");
  const name = mountPath.slice(slash);
  checkMountOutside(`${parent}${name}`, realPathOf(absolute(place.catalogPath)));
}

/**
 * What the diff says is what its owner says. Root follows that to a mount directory of his, since he
 * could mount there himself; but not to one of root's, such as where a program looks for its settings.
 */
function mustBeOfOwner(mountPath: string, diffPath: string): void {
  if (Deno.uid() !== 0) return;
  const { uid } = Deno.statSync(diffPath);
  if (uid === 0 || Deno.statSync(mountPath).uid === uid) return;
  throw new PbkfsError("PermissionDenied", {
    what:
      `The diff, which is of user ${uid}, names the mount directory "${mountPath}", which is not`,
    todo: `If it is to be mounted there, say so: -D "${mountPath}"`,
  });
}

/** Mounts, and returns when the mount answers. A process of its own serves it. */
export async function mount(options: MountOptions): Promise<StartedMount & MountRequest> {
  const request = await prepareMount(options);
  const waitMs = options.waitMs ?? WAIT_MS;
  const { onProgress, restart = true } = options;
  const started = await orUnmake(
    request,
    () => startDaemon(request, { waitMs, restart, onProgress }),
  );
  await mustAnswer(request.mountPath, { pid: started.pid, waitMs });
  return { ...started, ...request };
}

/** The kernel answers a question about a file only if the daemon does. */
async function mustAnswer(
  mountPath: string,
  { pid, waitMs }: { readonly pid: number; readonly waitMs: number },
): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new PbkfsError("MountFailed", {
        what: `The mount on "${mountPath}" is there, but does not answer; process ${pid} serves it`,
        todo:
          `Look at the log in the diff. Detach it with: pbkfs unmount --force -D "${mountPath}"`,
      }),
    );
  }, waitMs);
  try {
    await Promise.race([Deno.stat(mountPath), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Mounts, and serves the mount from this process to its end. @returns The exit status. */
export async function mountHere(
  options: MountOptions,
  onMounted: (mount: MountRequest & { readonly notes: readonly string[] }) => void,
): Promise<number> {
  const request = await prepareMount(options);
  const { onProgress } = options;
  const interrupt = interruptible();
  const served = await orUnmake(request, async () => {
    const threads = await loadThreads(fastPathsWanted());
    actForOwnerOf(request);
    return await serveMount(request, {
      threads,
      ...(onProgress !== undefined && { onProgress }),
      signal: interrupt.signal,
    });
  });
  const ending = untilEnd(served, { waits: true });
  interrupt.done();
  onMounted({ ...request, notes: served.notes });
  notifyManager("READY=1");
  return await ending;
}
