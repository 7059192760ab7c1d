/**
 * The end of a mount, from within its process. To unmount is not always the end: another mount
 * namespace may have a copy, and a mount that was detached lives on for the files open in it. The
 * kernel says nothing of either, but it goes on with the connection, and so does the process, with
 * everything locked, until it is told to end.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import type { Libc } from "../ffi/libc.ts";
import type { Log } from "../observe/mod.ts";
import { detach } from "./detach.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { describeHolders, holdersOf } from "./holders.ts";
import { inTime } from "./in_time.ts";
import { findMount, listMounts } from "./mount_table.ts";
import { syncMount } from "./sync_mount.ts";
import { namingUsers } from "./users_of.ts";

/** What is to end. */
export interface EndingOptions {
  readonly mountPath: string;
  readonly dispatcher: Pick<Dispatcher, "ended" | "disconnected" | "sync" | "end">;
  readonly libc: Libc;
  readonly log: Log;
  /** Settles when this process does not use the mount itself any more, as it does at its start. */
  readonly ownUse: Promise<void>;
}

/** Unmounting writes everything back first, so the kernel then lets go at once, or not at all. */
const LET_GO_MS = 500;
/** For the kernel to send what it has; a service manager waits for 90 seconds. */
const SYNC_MS = 60_000;
/** For ourselves to let go of the mount: one question about a file. */
const OWN_USE_MS = 5_000;

/** Ends one mount. */
export class Ending {
  /** As the kernel's lists of mounts have it, such as `0:45`. */
  readonly device: string;
  readonly #options: EndingOptions;
  /** By the kernel: what is left to do is to bring all to disk. */
  #isLetGo = false;

  /** @param options.mountPath What is mounted there is what is to end. */
  constructor(options: EndingOptions) {
    this.#options = options;
    this.device = findMount(options.mountPath)?.device ?? "";
    void options.dispatcher.disconnected.then(() => this.#isLetGo = true);
  }

  /** Whether it is nowhere in our mount namespace, and goes on. */
  get isDetached(): boolean {
    return !this.#isLetGo && this.#paths().length === 0;
  }

  /**
   * Unmounts in our mount namespace, wherever it is there.
   *
   * @returns When all is on disk and let go; or that somebody keeps the mount.
   * @throws {PbkfsError} `MountBusy`, naming the processes; what could not be brought to disk.
   */
  async unmount(): Promise<"ended" | "kept"> {
    const { dispatcher, log } = this.#options;
    const wasHere = await this.#detach({ lazy: false });
    if (!await isSettled(dispatcher.disconnected, wasHere ? LET_GO_MS : 0)) {
      if (wasHere) {
        const who = describeHolders(holdersOf(this.device));
        log.warning(`unmounted here, but kept by ${who}; it goes on`);
      }
      return "kept";
    }
    await dispatcher.ended;
    return "ended";
  }

  /** Brings to disk what was written, wherever the mount is. @throws {PbkfsError} what is not. */
  async sync(): Promise<void> {
    const { dispatcher } = this.#options;
    const sync = async () => {
      await syncMount(this.device, SYNC_MS);
      await dispatcher.sync();
    };
    await Promise.race([dispatcher.ended, sync()]);
  }

  /**
   * Ends, whoever uses the mount: they get errors from then on. What was written is on disk then.
   *
   * @throws {PbkfsError} what is not.
   */
  async end(): Promise<void> {
    const { dispatcher, log } = this.#options;
    const who = describeHolders(holdersOf(this.device));
    // What we could not do has an end, too: to go on is not what was asked for.
    await this.sync().catch((error) => log.error("syncing before the end failed", error));
    await this.#detach({ lazy: true }).catch((error) => log.error("detaching failed", error));
    if (!await isSettled(dispatcher.disconnected, 0)) log.warning(`the mount is taken from ${who}`);
    dispatcher.end();
    await dispatcher.ended;
  }

  /** Unmounts; ends what somebody keeps elsewhere, but not what is in use here. */
  async stop(): Promise<void> {
    if (await this.unmount() === "kept") await this.end();
  }

  /** @returns Whether it was mounted here. */
  async #detach(options: { readonly lazy: boolean }): Promise<boolean> {
    await inTime(this.#options.ownUse, OWN_USE_MS, undefined);
    const { libc, log, mountPath } = this.#options;
    const paths = this.#paths();
    for (const path of paths) {
      const top = findMount(path);
      if (top === undefined) continue; // It went with another one.
      if (top.device !== this.device) throw covered(path, top);
      try {
        await namingUsers(path, () => detach(path, libc, options));
      } catch (error) {
        // A copy that somebody else has made, root perhaps, is for them to unmount.
        const isBusy = error instanceof PbkfsError && error.code === "MountBusy";
        if (isBusy || path === mountPath) throw error;
        log.error(`unmounting the copy on "${path}" failed`, error);
      }
    }
    return paths.length > 0;
  }

  /** Where it is mounted in our namespace, the latest first. */
  #paths(): string[] {
    return listMounts().filter(({ device }) => device === this.device)
      .map(({ mountPath }) => mountPath).reverse();
  }
}

/** What is mounted on top is not ours to unmount. */
function covered(path: string, { type, source }: { type: string; source: string }): PbkfsError {
  return new PbkfsError("MountBusy", {
    what: `On top of the mount on "${path}" something else is mounted: ${type} of ${source}`,
    todo: "Unmount that first.",
  });
}

function isSettled(promise: Promise<void>, limitMs: number): Promise<boolean> {
  return inTime(promise.then(() => true), limitMs, false);
}
