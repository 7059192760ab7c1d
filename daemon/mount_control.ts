/**
 * The control of a mount by its main thread: what that knows of the mount, and its answers to who
 * asks.
 *
 * @module
 */

import { backupIdOf } from "../backup/mod.ts";
import type { Binding, DiffDirectory } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import type { Libc } from "../ffi/libc.ts";
import { Latencies, Waiting } from "../fuse/mod.ts";
import {
  type Complain,
  type LogOptions,
  type LogTarget,
  type MountStatus,
  summaries,
} from "../observe/mod.ts";
import { OverlayCounters, sumOf } from "../overlay/mod.ts";
import type { Watch } from "./deaths.ts";
import { DiffMeter } from "./diff_size.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Ending } from "./ending.ts";
import type { ControlAnswer, ControlRequest, MountRequest } from "./protocol.ts";
import { restartsOf } from "./restarts.ts";
import { Scheduler, type Task } from "./scheduler.ts";
import { spaceStatus } from "./space_status.ts";
import { VERSION } from "./version.ts";

/** For requests, before a commit of what nobody has synced. Who asks for status waits for longer. */
const COMMIT_PATIENCE_MS = 200;

/** A mount to be controlled. */
export interface MountControlOptions {
  readonly request: MountRequest;
  readonly diff: DiffDirectory;
  readonly binding: Binding;
  readonly libc: Libc;
  /** What the guardian of this process tells, if it has one. */
  readonly watch: Watch | undefined;
  readonly complain: Complain;
}

/** Controls one mount: from before it is there, as nothing is known of who serves it. */
export class MountControl {
  /** Written by the threads that serve. */
  readonly counters = new OverlayCounters();
  readonly latencies = new Latencies();
  readonly waiting = new Waiting();
  readonly space = new Int32Array(new SharedArrayBuffer(4));
  readonly tasks: Scheduler;
  /** Set when the mount is there. */
  dispatcher: Dispatcher | undefined;
  #ending: Ending | undefined;
  readonly #mountedAt = Date.now();
  readonly #options: MountControlOptions;
  readonly #diffMeter: DiffMeter;
  readonly #commit: Task = {
    name: "commit",
    patienceMs: COMMIT_PATIENCE_MS,
    run: async () => await this.dispatcher?.commit(),
  };

  constructor(options: MountControlOptions) {
    this.#options = options;
    const { complain, diff, libc } = options;
    this.tasks = new Scheduler({ waitedMs: () => this.waiting.waitedMs(), complain }, [
      this.#commit,
    ]);
    this.#diffMeter = new DiffMeter(diff.path, libc, this.tasks);
  }

  /** What ends the mount. @throws {PbkfsError} `MountBusy` as long as it is not there. */
  get ending(): Ending {
    if (this.#ending === undefined) throw notYet(this.#options.request.mountPath);
    return this.#ending;
  }

  set ending(ending: Ending) {
    this.#ending = ending;
  }

  /** Changes wait for a commit. */
  wantCommit(): void {
    void this.tasks.want(this.#commit);
  }

  async status(): Promise<MountStatus> {
    const { request, diff, binding, watch } = this.#options;
    const { size, strays } = await this.#diffMeter.measure();
    return {
      version: VERSION,
      pid: Deno.pid,
      kind: request.backup.kind,
      catalogPath: request.backup.identity.catalogPath,
      instance: request.backup.identity.instance,
      backupId: backupIdOf(request.backup),
      diffPath: diff.path,
      mountPath: request.mountPath,
      ...(this.#ending !== undefined && { device: this.#ending.device }),
      isDetached: this.#ending?.isDetached ?? false,
      serverVersion: binding.serverVersion,
      mountedAt: this.#mountedAt,
      diff: size,
      space: await spaceStatus(diff.path, this.space),
      lostAndFound: strays,
      counters: sumOf([this.counters, ...(this.dispatcher?.readCounters ?? [])]),
      latencies: summaries(this.latencies),
      restarts: restartsOf(watch),
      tasks: this.tasks.status(),
      log: logTarget(request.logging, diff.paths.log),
    };
  }

  async answer({ operation }: ControlRequest): Promise<ControlAnswer> {
    const unmounted = { unmounted: true, pid: Deno.pid } as const;
    switch (operation) {
      case "status":
        return { status: await this.status() };
      case "unmount":
        if (await this.ending.unmount() === "ended") return unmounted;
        return { kept: { pid: Deno.pid, device: this.ending.device } };
      case "sync":
        await this.ending.sync();
        return { synced: true };
      case "end":
        await this.ending.end();
        return unmounted;
      case "pause":
        this.tasks.pause();
        return { tasks: this.tasks.status() };
      case "resume":
        this.tasks.resume();
        return { tasks: this.tasks.status() };
      default:
        throw new PbkfsError("Usage", { what: `Unknown operation ${JSON.stringify(operation)}` });
    }
  }
}

function logTarget({ target }: LogOptions, defaultPath: string): LogTarget {
  return target.to === "file" ? { to: "file", path: target.path ?? defaultPath } : target;
}

function notYet(mountPath: string): PbkfsError {
  return new PbkfsError("MountBusy", {
    what: `"${mountPath}" is still being mounted`,
    todo: "Try again in a moment.",
  });
}
