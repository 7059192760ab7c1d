/**
 * The process behind a mount. Its main thread, which is this, owns control: the lock on the diff,
 * the control socket, signals, the end. A worker serves the kernel.
 *
 * It never touches its own mount: it would wait for itself for ever.
 *
 * @module
 */

import { backupIdOf, StoreAlarm } from "../backup/mod.ts";
import { besideStore, DIFF_NAMES, DiffDirectory } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { type Libc, systemLibc } from "../ffi/libc.ts";
import { Latencies, Waiting } from "../fuse/mod.ts";
import {
  type Log,
  type LogFacts,
  type LogOptions,
  type LogTarget,
  type MountStatus,
  openLog,
  rareComplaints,
  serveMetrics,
  SILENT_LOG,
  summaries,
} from "../observe/mod.ts";
import { OverlayCounters, readGeneration, sumOf } from "../overlay/mod.ts";
import { bind, checkRequest } from "./bind.ts";
import { ControlServer } from "./control_socket.ts";
import { isListed } from "./dead_mount.ts";
import type { Watch } from "./deaths.ts";
import { detach } from "./detach.ts";
import { explained } from "./detached.ts";
import { DiffMeter } from "./diff_size.ts";
import { startOnFullDisk } from "./disk_full.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Ending } from "./ending.ts";
import { fastPathsWanted } from "./fast_paths.ts";
import { mayAllowOthers } from "./fuse_conf.ts";
import { noteMade, removeMade, unmakeMountDirectory } from "./made_directory.ts";
import { claimMountPoint } from "./mount_point.ts";
import type { ControlAnswer, ControlRequest, MountRequest } from "./protocol.ts";
import { raiseReadAhead } from "./read_ahead.ts";
import { restartsOf } from "./restarts.ts";
import { withSalvage } from "./salvage.ts";
import { Scheduler, type Task } from "./scheduler.ts";
import { spaceStatus } from "./space_status.ts";
import { guardStore } from "./store_guard.ts";
import { loadThreads, type Threads } from "./threads.ts";
import { VERSION } from "./version.ts";

/** A mount that this process serves. */
export interface ServedMount {
  /** Settles when all is over and let go: with an error, if not all is on disk. */
  readonly ended: Promise<void>;
  /**
   * Unmounts, and ends, also if another mount namespace keeps the mount.
   *
   * @throws {PbkfsError} `MountBusy`, naming the processes: then nothing ends.
   */
  stop(): Promise<void>;
  /** Whether all is over although the file system is still mounted: it is dead then. */
  isBroken(): boolean;
  readonly diff: DiffDirectory;
  /** Who serves closes it, as the last thing. */
  readonly log: Log;
  /** For the operator. */
  readonly notes: readonly string[];
}

/** Who is told of what happens, and how a start is given up. */
export interface ServeOptions {
  /** Told whom the start waits for. */
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** What the guardian of this process tells, if it has one. */
  readonly watch?: Watch | undefined;
  /** Loaded before; they end with the mount, or with a start that fails. */
  readonly threads?: Threads;
}

/** For others to let go of a backup: as long as pg_probackup waits. */
const WAIT_MS = 60_000;
const RETRY_MS = 100;
/** For requests, before a commit of what nobody has synced. Who asks for status waits for longer. */
const COMMIT_PATIENCE_MS = 200;

/**
 * Mounts, and serves the mount from workers of this process.
 *
 * @throws {PbkfsError} why not; nothing is left behind then.
 */
export async function serveMount(
  request: MountRequest,
  options: ServeOptions = {},
): Promise<ServedMount> {
  try {
    return await begin(request, options);
  } catch (error) {
    throw startOnFullDisk(error, request.diffPath);
  }
}

async function begin(request: MountRequest, options: ServeOptions): Promise<ServedMount> {
  const { onProgress = () => {}, signal, watch } = options;
  // The mount is there, dead, and is replaced at the last moment.
  const replacesDead = (watch?.deaths.length ?? 0) > 0;
  let log: Log = SILENT_LOG;
  // What the diff holds is for its owner, like the data directory that it is part of.
  Deno.umask(0o077);
  const libc = systemLibc();
  const fastPaths = fastPathsWanted();
  const threads = options.threads ?? await loadThreads(fastPaths);
  await using start = new AsyncDisposableStack();
  start.defer(() => threads.terminate());
  // What cannot be undone must not hide why it had to be.
  const onFailure = (undo: () => void | Promise<void>) =>
    start.defer(async () => {
      try {
        await undo();
      } catch (error) {
        log.error("giving up the start", error);
      }
    });
  const diff = await openDiff(request, libc, { onProgress, signal, guardian: watch?.guardian });
  const isNew = diff.binding === undefined;
  try {
    if (isNew) mustBeNew(diff);
  } catch (error) {
    diff.release();
    throw error;
  }
  onFailure(() => isNew ? diff.abandon() : diff.release());
  log = await openLog(request.logging, { libc, defaultPath: diff.paths.log });
  start.defer(() => log.close());
  if (diff.binding !== undefined) checkRequest(diff.binding, request);
  const giveUpClaim = replacesDead ? () => {} : claimMountPoint(request.mountPath, libc);
  onFailure(giveUpClaim);
  const alarm = new StoreAlarm();
  const guard = await guardStore(request.backup, {
    ...{ libc, alarm, onWait: onProgress, signal },
    log: (text) => log.warning(text),
    lock: request.storeLock !== false,
    waitMs: request.waitMs ?? WAIT_MS,
  });
  onFailure(() => guard.release());
  const { binding, learnt } = await bind(diff, request);
  if (isNew) log.reopen(); // A new diff has been emptied.
  signal?.throwIfAborted();
  const counters = new OverlayCounters();
  const latencies = new Latencies();
  const space = new Int32Array(new SharedArrayBuffer(4));
  const mountedAt = Date.now();
  const serving: { dispatcher?: Dispatcher; ending?: Ending } = {};
  const waiting = new Waiting();
  const complain = rareComplaints(() => log);
  const commit: Task = {
    name: "commit",
    patienceMs: COMMIT_PATIENCE_MS,
    run: async () => await serving.dispatcher?.commit(),
  };
  const tasks = new Scheduler({ waitedMs: () => waiting.waitedMs(), complain }, [commit]);
  onFailure(() => tasks.stop());
  const diffMeter = new DiffMeter(diff.path, libc, tasks);
  const ending = (): Ending => {
    if (serving.ending === undefined) throw notYet(request.mountPath);
    return serving.ending;
  };
  const status = async (): Promise<MountStatus> => {
    const { size, strays } = await diffMeter.measure();
    return {
      version: VERSION,
      pid: Deno.pid,
      kind: request.backup.kind,
      catalogPath: request.backup.identity.catalogPath,
      instance: request.backup.identity.instance,
      backupId: backupIdOf(request.backup),
      diffPath: diff.path,
      mountPath: request.mountPath,
      ...(serving.ending !== undefined && { device: serving.ending.device }),
      isDetached: serving.ending?.isDetached ?? false,
      serverVersion: binding.serverVersion,
      mountedAt,
      diff: size,
      space: await spaceStatus(diff.path, space),
      lostAndFound: strays,
      counters: sumOf([counters, ...(serving.dispatcher?.readCounters ?? [])]),
      latencies: summaries(latencies),
      restarts: restartsOf(watch),
      tasks: tasks.status(),
      log: logTarget(request.logging, diff.paths.log),
    };
  };
  let control: ControlServer | undefined;
  const listen = async () => {
    const handler = (asked: ControlRequest) => answer(asked, { ending, status, tasks });
    control = await ControlServer.listen(diff.paths.socket, handler, complain);
  };
  onFailure(() => control?.close());
  // As long as the dead mount is there, it is the guardian who is told to end.
  if (!replacesDead) await listen();
  const metrics = request.metrics &&
    await serveMetrics(request.metrics, { status, latencies, complain });
  onFailure(() => metrics?.close());
  const started = await Dispatcher.start(
    threads,
    {
      backup: request.backup,
      learnt,
      binding,
      diffPath: diff.path,
      mountPath: request.mountPath,
      salvage: request.salvage,
      allowOther: mayAllowOthers(),
      counters: counters.shared,
      latencies: latencies.shared,
      waiting: waiting.shared,
      tracing: request.logging.tracing,
      space: space.buffer,
      alarm: alarm.shared,
      fastPaths,
      replacesDead,
    },
    log,
    () => void tasks.want(commit),
  ).catch((error) => {
    throw withSalvage(error, diff.path);
  });
  serving.dispatcher = started;
  const ownUse = fastPaths.has("read_ahead")
    ? raiseReadAhead(request.mountPath)
    : Promise.resolve();
  serving.ending = new Ending({
    ...{ mountPath: request.mountPath, dispatcher: started, libc, log, ownUse },
  });
  onFailure(async () => {
    await detach(request.mountPath, libc, { lazy: true });
    await started.ended.catch(() => {});
  });
  if (replacesDead) await listen();
  signal?.throwIfAborted();
  if (!isNew && request.salvage !== true) {
    diff.writeBinding({ ...binding, metadata: { generation: started.generation } });
  }
  if (request.isDirectoryMade === true && request.salvage !== true) noteMade(request);
  giveUpClaim();
  const notes = [
    ...(diff.recovered === undefined ? [] : [diff.recovered]),
    ...request.backup.notes,
    ...guard.notes,
    ...started.notes,
  ];
  log.info("mounted", { ...factsOf(request), process: Deno.pid, version: VERSION });
  for (const note of notes) log.warning(note);
  start.move(); // It stays.
  let isBroken = false;
  started.disconnected.then(() => tasks.stop());
  const ended = started.ended.finally(async () => {
    await tasks.stop();
    // Before somebody else can have the diff.
    isBroken = isListed(request);
    await metrics?.close();
    await control?.close();
    await guard.release();
    const left = isBroken ? undefined : removeDirectoryOf(request);
    if (left !== undefined) log.warning(`the mount directory could not be removed: ${left}`);
    diff.release();
  });
  // As with the dispatcher's: until somebody waits for it.
  ended.catch(() => {});
  const stop = () => ending().stop();
  return { ended, stop, isBroken: () => isBroken, diff, log, notes };
}

/**
 * Removes the mount directory, if it was made for this mount: as who started us says, with all our
 * rights; as the diff says, with those of its owner.
 *
 * @returns Why it could not be removed, if so.
 */
function removeDirectoryOf(request: MountRequest): string | undefined {
  const left = request.isDirectoryMade === true
    ? unmakeMountDirectory(request.mountPath)
    : undefined;
  // Nothing is noted in a diff that is only read.
  if (left === undefined && request.salvage !== true) removeMade(request);
  return left;
}

function logTarget({ target }: LogOptions, defaultPath: string): LogTarget {
  return target.to === "file" ? { to: "file", path: target.path ?? defaultPath } : target;
}

/** What was mounted, for the log. */
function factsOf({ backup, mountPath, diffPath }: MountRequest): LogFacts {
  const { instance } = backup.identity;
  return { mount: mountPath, diff: diffPath, instance, backup: backupIdOf(backup) };
}

/**
 * What lies in a directory without a binding is the rest of an attempt, and goes. But the metadata
 * of an attempt has one commit.
 *
 * @throws {PbkfsError} `DiffDamaged` if there were more.
 */
function mustBeNew(diff: DiffDirectory): void {
  if ((readGeneration(besideStore(diff.paths.store).generation) ?? 0) <= 1) return;
  throw new PbkfsError("DiffDamaged", {
    what:
      `The diff "${diff.path}" has lost its binding, "${DIFF_NAMES.binding}"; nothing was changed`,
    todo: `Restore the file from a copy; or empty the diff: pbkfs cleanup -d "${diff.path}"`,
  });
}

function notYet(mountPath: string): PbkfsError {
  return new PbkfsError("MountBusy", {
    what: `"${mountPath}" is still being mounted`,
    todo: "Try again in a moment.",
  });
}

/** Waits for another process to let go of the diff only if a time was given. */
async function openDiff(
  request: MountRequest,
  libc: Libc,
  options: {
    readonly onProgress: (text: string) => void;
    readonly signal?: AbortSignal | undefined;
    readonly guardian: number | undefined;
  },
): Promise<DiffDirectory> {
  const { force, waitMs } = request;
  const deadline = Date.now() + (waitMs ?? 0);
  for (let isTold = false;; isTold = true) {
    try {
      return DiffDirectory.open(request.diffPath, libc, { force, guardian: options.guardian });
    } catch (error) {
      if (!(error instanceof PbkfsError) || error.code !== "DiffInUse") throw error;
      const isLate = Date.now() >= deadline;
      const told = isLate || !isTold ? await explained(error, request.diffPath) : error;
      if (isLate) throw told;
      if (!isTold) options.onProgress(told.message);
    }
    options.signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function answer(
  { operation }: ControlRequest,
  mount: { ending: () => Ending; status: () => Promise<MountStatus>; tasks: Scheduler },
): Promise<ControlAnswer> {
  const unmounted = { unmounted: true, pid: Deno.pid } as const;
  switch (operation) {
    case "status":
      return { status: await mount.status() };
    case "unmount":
      if (await mount.ending().unmount() === "ended") return unmounted;
      return { kept: { pid: Deno.pid, device: mount.ending().device } };
    case "sync":
      await mount.ending().sync();
      return { synced: true };
    case "end":
      await mount.ending().end();
      return unmounted;
    case "pause":
      mount.tasks.pause();
      return { tasks: mount.tasks.status() };
    case "resume":
      mount.tasks.resume();
      return { tasks: mount.tasks.status() };
    default:
      throw new PbkfsError("Usage", { what: `Unknown operation ${JSON.stringify(operation)}` });
  }
}
