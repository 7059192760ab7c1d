/**
 * The process behind a mount. Its main thread, which is this, owns control: the lock on the diff,
 * the control socket, signals, the end. A worker serves the kernel.
 *
 * It never touches its own mount: it would wait for itself for ever.
 *
 * @module
 */

import { backupIdOf, type Hold, StoreAlarm } from "../backup/mod.ts";
import type { DiffDirectory } from "../binding/mod.ts";
import { type Libc, systemLibc } from "../ffi/libc.ts";
import { type Log, type LogFacts, openLog, rareComplaints } from "../observe/mod.ts";
import { bind, type Bound, checkRequest } from "./bind.ts";
import { isListed } from "./dead_mount.ts";
import type { Watch } from "./deaths.ts";
import { detach } from "./detach.ts";
import { startOnFullDisk } from "./disk_full.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Ending } from "./ending.ts";
import { type FastPaths, fastPathsWanted } from "./fast_paths.ts";
import { mayAllowOthers } from "./fuse_conf.ts";
import { noteMade, removeMade, unmakeMountDirectory } from "./made_directory.ts";
import { MountControl } from "./mount_control.ts";
import { claimMountPoint } from "./mount_point.ts";
import type { MountRequest } from "./protocol.ts";
import { raiseReadAhead } from "./read_ahead.ts";
import { withSalvage } from "./salvage.ts";
import { Servers } from "./servers.ts";
import { guardStore } from "./store_guard.ts";
import { takeDiff } from "./take_diff.ts";
import { loadThreads, type Threads } from "./threads.ts";
import { Undo } from "./undo.ts";
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
  // What the diff holds is for its owner, like the data directory that it is part of.
  Deno.umask(0o077);
  const libc = systemLibc();
  const fastPaths = fastPathsWanted();
  const threads = options.threads ?? await loadThreads(fastPaths);
  await using undo = new Undo();
  undo.defer(() => threads.terminate());
  // The mount is there, dead, and is replaced at the last moment.
  const replacesDead = (options.watch?.deaths.length ?? 0) > 0;
  const start: Start = { request, options, libc, undo, fastPaths, threads, replacesDead };
  const held = await hold(start);
  const { diff, isNew, guard, bound: { binding } } = held;
  const { log } = undo;
  options.signal?.throwIfAborted();
  const complain = rareComplaints(() => log);
  const control = new MountControl({
    ...{ request, diff, binding, libc, watch: options.watch, complain },
  });
  undo.attempt(() => control.tasks.stop());
  const servers = new Servers(control, diff.paths.socket, complain);
  undo.attempt(() => servers.closeControl());
  // As long as the dead mount is there, it is the guardian who is told to end.
  if (!replacesDead) await servers.listen();
  undo.attempt(() => servers.closeMetrics());
  await servers.serveMetrics(request.metrics);
  const dispatcher = await startDispatcher(start, held, control);
  if (replacesDead) await servers.listen();
  options.signal?.throwIfAborted();
  if (!isNew && request.salvage !== true) {
    diff.writeBinding({ ...binding, metadata: { generation: dispatcher.generation } });
  }
  if (request.isDirectoryMade === true && request.salvage !== true) noteMade(request);
  held.giveUpClaim();
  const notes = [
    ...(diff.recovered === undefined ? [] : [diff.recovered]),
    ...request.backup.notes,
    ...guard.notes,
    ...dispatcher.notes,
  ];
  log.info("mounted", { ...factsOf(request), process: Deno.pid, version: VERSION });
  for (const note of notes) log.warning(note);
  undo.keep();
  return { ...served(request, { held, control, servers, dispatcher, log }), diff, log, notes };
}

/** What the steps of a start work with. */
interface Start {
  readonly request: MountRequest;
  readonly options: ServeOptions;
  readonly libc: Libc;
  readonly undo: Undo;
  readonly fastPaths: FastPaths;
  readonly threads: Threads;
  readonly replacesDead: boolean;
}

/** What a mount keeps others from. */
interface Held {
  readonly diff: DiffDirectory;
  readonly isNew: boolean;
  readonly guard: Hold;
  readonly alarm: StoreAlarm;
  readonly bound: Bound;
  /** Lets others ask for the same place: the mount is there to be seen. */
  readonly giveUpClaim: () => void;
}

/** Takes the diff, the place and the backup, and opens the log. */
async function hold(start: Start): Promise<Held> {
  const { request, libc, undo, replacesDead } = start;
  const { onProgress = () => {}, signal } = start.options;
  const guardian = start.options.watch?.guardian;
  const { diff, isNew } = await takeDiff(request, { libc, undo, onProgress, signal, guardian });
  const log = await openLog(request.logging, { libc, defaultPath: diff.paths.log });
  undo.log = log;
  undo.defer(() => log.close());
  if (diff.binding !== undefined) checkRequest(diff.binding, request);
  const giveUpClaim = replacesDead ? () => {} : claimMountPoint(request.mountPath, libc);
  undo.attempt(giveUpClaim);
  const alarm = new StoreAlarm();
  const guard = await guardStore(request.backup, {
    ...{ libc, alarm, onWait: onProgress, signal },
    log: (text) => log.warning(text),
    lock: request.storeLock !== false,
    waitMs: request.waitMs ?? WAIT_MS,
  });
  undo.attempt(() => guard.release());
  const bound = await bind(diff, request);
  if (isNew) log.reopen(); // A new diff has been emptied.
  return { diff, isNew, guard, alarm, bound, giveUpClaim };
}

/** Mounts. From then on `control` can end the mount. */
async function startDispatcher(
  { request, libc, undo, fastPaths, threads, replacesDead }: Start,
  { diff, bound: { binding, learnt }, alarm }: Held,
  control: MountControl,
): Promise<Dispatcher> {
  const { log } = undo;
  const { mountPath } = request;
  const dispatcher = await Dispatcher.start(
    threads,
    {
      ...{ backup: request.backup, learnt, binding, diffPath: diff.path, mountPath },
      ...{ salvage: request.salvage, allowOther: mayAllowOthers(), fastPaths, replacesDead },
      counters: control.counters.shared,
      latencies: control.latencies.shared,
      waiting: control.waiting.shared,
      tracing: request.logging.tracing,
      space: control.space.buffer,
      alarm: alarm.shared,
    },
    log,
    () => control.wantCommit(),
  ).catch((error) => {
    throw withSalvage(error, diff.path);
  });
  control.dispatcher = dispatcher;
  const ownUse = fastPaths.has("read_ahead") ? raiseReadAhead(mountPath) : Promise.resolve();
  control.ending = new Ending({ mountPath, dispatcher, libc, log, ownUse });
  undo.attempt(async () => {
    await detach(mountPath, libc, { lazy: true });
    await dispatcher.ended.catch(() => {});
  });
  return dispatcher;
}

/** Lets go of everything when the mount has ended. */
function served(
  request: MountRequest,
  { held: { diff, guard }, control, servers, dispatcher, log }: {
    readonly held: Held;
    readonly control: MountControl;
    readonly servers: Servers;
    readonly dispatcher: Dispatcher;
    readonly log: Log;
  },
): Pick<ServedMount, "ended" | "stop" | "isBroken"> {
  let isBroken = false;
  dispatcher.disconnected.then(() => control.tasks.stop());
  const ended = dispatcher.ended.finally(async () => {
    await control.tasks.stop();
    // Before somebody else can have the diff.
    isBroken = isListed(request);
    await servers.closeMetrics();
    await servers.closeControl();
    await guard.release();
    const left = isBroken ? undefined : removeDirectoryOf(request);
    if (left !== undefined) log.warning(`the mount directory could not be removed: ${left}`);
    diff.release();
  });
  // As with the dispatcher's: until somebody waits for it.
  ended.catch(() => {});
  return { ended, stop: () => control.ending.stop(), isBroken: () => isBroken };
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

/** What was mounted, for the log. */
function factsOf({ backup, mountPath, diffPath }: MountRequest): LogFacts {
  const { instance } = backup.identity;
  return { mount: mountPath, diff: diffPath, instance, backup: backupIdOf(backup) };
}
