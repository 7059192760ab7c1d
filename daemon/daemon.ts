/**
 * The process behind a mount. Its main thread, which is this, owns control: the lock on the diff,
 * the control socket, signals, the end. A worker serves the kernel.
 *
 * It never touches its own mount: it would wait for itself for ever.
 *
 * @module
 */

import { destOf, loadCodecs, openChain } from "../backup/mod.ts";
import { type Binding, BINDING_VERSION, checkBinding, DiffDirectory } from "../binding/mod.ts";
import { PbkfsError, toPbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { systemLibc } from "../ffi/libc.ts";
import { OverlayCounters, startCommitWorker } from "../overlay/mod.ts";
import { cloneSettings } from "../postgres/mod.ts";
import { ControlServer } from "./control_socket.ts";
import { detach } from "./detach.ts";
import { fillWal } from "./fill_wal.ts";
import { mayAllowOthers } from "./fuse_conf.ts";
import type {
  ControlAnswer,
  ControlRequest,
  DispatcherNews,
  DispatcherSetup,
  MountRequest,
  MountStatus,
} from "./protocol.ts";

/** A mount that this process serves. */
export interface ServedMount {
  /** Settles when the file system is unmounted: with an error, if not all is on disk. */
  readonly ended: Promise<void>;
  /** Unmounts. @throws {PbkfsError} `MountBusy`. */
  unmount(): Promise<void>;
  readonly diff: DiffDirectory;
}

/** The version of this program, which bindings tell. */
export const VERSION = "0.1.0";

/**
 * Mounts, and serves the mount from workers of this process.
 *
 * @throws {PbkfsError} why not; nothing is left behind then.
 */
export async function serveMount(request: MountRequest): Promise<ServedMount> {
  const libc = systemLibc();
  const diff = DiffDirectory.open(request.diffPath, libc);
  const isNew = diff.binding === undefined;
  try {
    const binding = await bind(diff, request);
    const counters = new OverlayCounters();
    const dispatcher = await Dispatcher.start({
      spec: request.spec,
      binding,
      diffPath: diff.path,
      mountPath: request.mountPath,
      allowOther: mayAllowOthers(),
      counters: counters.shared,
    });
    const mountedAt = Date.now();
    const unmount = async () => {
      await detach(request.mountPath, libc);
      await dispatcher.ended;
    };
    const status = (): MountStatus => ({
      pid: Deno.pid,
      catalogPath: request.spec.catalogPath,
      instance: request.spec.instance,
      backupId: destOf(request.spec).id,
      diffPath: diff.path,
      mountPath: request.mountPath,
      mountedAt,
      counters: counters.snapshot(),
    });
    const control = new ControlServer(
      diff.socketPath,
      (asked) => answer(asked, { unmount, status }),
    );
    const ended = dispatcher.ended.finally(async () => {
      await control.close();
      diff.release();
    });
    return { ended, unmount, diff };
  } catch (error) {
    if (isNew) diff.abandon();
    else diff.release();
    throw error;
  }
}

async function answer(
  request: ControlRequest,
  mount: { unmount: () => Promise<void>; status: () => MountStatus },
): Promise<ControlAnswer> {
  switch (request.operation) {
    case "status":
      return { status: mount.status() };
    case "unmount":
      await mount.unmount();
      return { unmounted: true };
    default:
      throw new PbkfsError("Usage", { what: `Unknown operation in ${JSON.stringify(request)}` });
  }
}

/** The diff's binding; for a new diff, made now. */
async function bind(diff: DiffDirectory, request: MountRequest): Promise<Binding> {
  const { spec, mountPath } = request;
  const known = diff.binding;
  if (known !== undefined) {
    checkBinding(known, spec, diff.path);
    if (request.wal !== undefined && request.wal !== known.wal) {
      throw new PbkfsError("DiffForeign", {
        what: `The diff "${diff.path}" has pg_wal ${known.wal} the mount, not ${request.wal}`,
        todo: "Leave --wal out, or choose an empty diff directory.",
      });
    }
    const { catalogPath } = spec;
    if (known.mountPath === mountPath && known.catalogPath === catalogPath) return known;
    const binding = { ...known, mountPath, catalogPath };
    diff.writeBinding(binding);
    return binding;
  }
  const createdAt = Math.floor(Date.now() / 1000) * 1000;
  const { serverVersion } = destOf(spec);
  const codecs = await loadCodecs();
  const settings = cloneSettings(parseInt(serverVersion));
  const base = await openChain(spec, {
    codecs,
    layout: { mountPath: "" as never, restoredAt: createdAt, settings },
  });
  try {
    const owner = ownerOfTree(base.owner);
    diff.begin(owner);
    await fillWal({ spec, base, diff, owner });
    const binding: Binding = {
      version: BINDING_VERSION,
      catalogPath: spec.catalogPath,
      instance: spec.instance,
      backupId: destOf(spec).id,
      chain: spec.members.map(({ id, contentCrc }) => ({
        id,
        ...(contentCrc !== undefined && { contentCrc }),
      })),
      ...(spec.systemIdentifier !== undefined && { systemIdentifier: spec.systemIdentifier }),
      serverVersion,
      mountPath,
      wal: request.wal ?? "outside",
      createdAt,
      owner,
      settings,
      madeBy: `pbkfs ${VERSION}`,
    };
    diff.finish(binding);
    return binding;
  } finally {
    base.close();
  }
}

/** Who mounts, or, when root mounts, who owns the backup: that user can start the server. */
function ownerOfTree(backup: { uid: number; gid: number }): { uid: number; gid: number } {
  const uid = Deno.uid() ?? 0;
  return uid === 0 ? backup : { uid, gid: Deno.gid() ?? 0 };
}

/** The worker that serves the kernel. */
class Dispatcher {
  readonly ended: Promise<void>;

  private constructor(ended: Promise<void>) {
    this.ended = ended;
  }

  static async start(options: Omit<DispatcherSetup, "state" | "commits">): Promise<Dispatcher> {
    const commits = await startCommitWorker({
      storePath: `${options.diffPath}/metadata.sqlite`,
      dataDirectory: byteStringOf(`${options.diffPath}/data`),
    });
    const setup: DispatcherSetup = { ...options, state: commits.state, commits: commits.channel };
    const worker = new Worker(new URL("./dispatcher_worker.ts", import.meta.url), {
      type: "module",
    });
    const mounted = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    // Whoever waits for the end learns of it; until somebody does, it is no unhandled rejection.
    ended.promise.catch(() => {});
    worker.onmessage = ({ data }: MessageEvent<DispatcherNews>) => {
      if ("mounted" in data) mounted.resolve();
      else if ("failed" in data) mounted.reject(PbkfsError.fromJSON(data.failed));
      else if (data.ended.error === undefined) ended.resolve();
      else ended.reject(PbkfsError.fromJSON(data.ended.error));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const error = toPbkfsError(new Error(event.message));
      mounted.reject(error);
      ended.reject(error);
    };
    worker.postMessage(setup, [commits.channel.port]);
    const terminate = () => {
      worker.terminate();
      commits.terminate();
    };
    try {
      await mounted.promise;
    } catch (error) {
      terminate();
      throw error;
    }
    return new Dispatcher(ended.promise.finally(terminate));
  }
}
