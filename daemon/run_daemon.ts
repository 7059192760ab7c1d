/**
 * The daemon's life: from the request on stdin to the end of the mount.
 *
 * @module
 */

import { PbkfsError, toPbkfsError } from "../errors.ts";
import { type ServedMount, serveMount } from "./daemon.ts";
import { FAULTS_VARIABLE } from "./faults.ts";
import type { MountRequest, StartAnswer } from "./protocol.ts";

const ENDING = ["SIGTERM", "SIGINT"] as const;

/** Serves the mount that stdin asks for, and answers on stdout. @returns The exit status. */
export async function runDaemon(): Promise<number> {
  const interrupt = interruptible();
  let mount: ServedMount;
  try {
    const request: MountRequest = await new Response(Deno.stdin.readable).json();
    const onProgress = (progress: string) => void answer({ progress });
    mount = await serveMount(request, { onProgress, signal: interrupt.signal });
  } catch (error) {
    answer({ error: toPbkfsError(error).toJSON() });
    return toPbkfsError(error).exitCode;
  }
  // Nobody reads our stderr once the command that started us is gone: the log takes over.
  mount.log.takeStderr();
  const faults = Deno.env.get(FAULTS_VARIABLE);
  if (faults) mount.log.warning(`${FAULTS_VARIABLE} is on, for a test: calls fail`, { faults });
  const ending = untilEnd(mount);
  interrupt.done();
  if (!answer({ mounted: { pid: Deno.pid, notes: mount.notes } })) {
    mount.log.warning("the command that asked for the mount is gone");
    mount.stop().catch((error) => mount.log.error("unmount failed", error));
  }
  return await ending;
}

/** While a mount is being made, signals give it up, and everything is put back. */
export function interruptible(): { readonly signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const error = new PbkfsError("MountFailed", {
    what: "The mount was interrupted while it was being made",
    todo: "Mount again.",
  });
  const giveUp = () => controller.abort(error);
  for (const name of ENDING) Deno.addSignalListener(name, giveUp);
  const done = () => {
    for (const name of ENDING) Deno.removeSignalListener(name, giveUp);
  };
  return { signal: controller.signal, done };
}

/**
 * Serves until the file system is unmounted, by whomever. SIGTERM and SIGINT ask for it: they end a
 * mount that is nowhere in our namespace, or only elsewhere; one that is in use here stays.
 */
export async function untilEnd({ log, ended, stop: end }: ServedMount): Promise<number> {
  const stop = () => {
    end().catch((error) => log.error("unmount failed", error));
  };
  const reopen = () => log.reopen();
  Deno.addSignalListener("SIGHUP", reopen);
  for (const signal of ENDING) Deno.addSignalListener(signal, stop);
  try {
    await ended;
    log.info("unmounted, all is on disk");
    return 0;
  } catch (error) {
    log.error("unmounted, but not all is on disk", error);
    return toPbkfsError(error).exitCode;
  } finally {
    for (const signal of ENDING) Deno.removeSignalListener(signal, stop);
    Deno.removeSignalListener("SIGHUP", reopen);
    log.close();
  }
}

/** @returns Whether somebody listens. */
function answer(data: StartAnswer): boolean {
  try {
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(data)}\n`));
    return true;
  } catch {
    return false;
  }
}
