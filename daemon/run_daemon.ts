/**
 * The daemon's life: from the request on stdin to the end of the mount.
 *
 * @module
 */

import { CODES, PbkfsError, toPbkfsError } from "../errors.ts";
import { surviveErrors } from "../observe/mod.ts";
import { actForOwnerOf } from "./act_for_owner.ts";
import { type ServedMount, serveMount, type ServeOptions } from "./daemon.ts";
import { type Death, describeDeath, parseWatch, type Watch } from "./deaths.ts";
import { BROKEN_STATUS } from "./guardian.ts";
import type { MountRequest, StartAnswer } from "./protocol.ts";
import { fastPathsWanted } from "./fast_paths.ts";
import { loadThreads, type Threads } from "./threads.ts";
import { carryOut, giveUp, judgeMount } from "./revive.ts";

const ENDING = ["SIGTERM", "SIGINT"] as const;

/**
 * Serves the mount that stdin asks for, and answers on stdout. After the death of the process that
 * served it before, it may take what is left of the mount away instead.
 *
 * @param args What the guardian tells, see {@link parseWatch}; none if nobody watches.
 * @returns The exit status.
 */
export async function runDaemon(args: readonly string[]): Promise<number> {
  const interrupt = interruptible();
  let mount: ServedMount | undefined;
  try {
    const watch = parseWatch(args);
    const [request, threads]: [MountRequest, Threads] = await Promise.all([
      new Response(Deno.stdin.readable).json(),
      loadThreads(fastPathsWanted()),
    ]);
    actForOwnerOf(request);
    const onProgress = (progress: string) => void answer({ progress });
    const options = { onProgress, signal: interrupt.signal, watch, threads };
    const death = watch?.deaths.at(-1);
    if (watch?.isEnding) interrupt.giveUp();
    if (watch === undefined || death === undefined) mount = await serveMount(request, options);
    else mount = await mountAgain(request, { ...options, watch, death });
  } catch (error) {
    answer({ error: toPbkfsError(error).toJSON() });
    return toPbkfsError(error).exitCode;
  }
  if (mount === undefined) return 0;
  // Nobody reads our stderr once the command that started us is gone: the log takes over.
  mount.log.takeStderr();
  const ending = untilEnd(mount);
  interrupt.done();
  const { log } = mount;
  const end = () => void mount.stop().catch((error) => log.error("unmount failed", error));
  try {
    mount.diff.tellMounted();
  } catch (error) {
    log.error(
      "should this process die, nobody will mount again: its lock cannot be written",
      error,
    );
  }
  if (!answer({ mounted: { pid: Deno.pid, notes: mount.notes } })) {
    log.warning("the command that asked for the mount is gone");
    end();
  } else if (interrupt.signal.aborted) end(); // The signal came when nobody looked any more.
  const status = await ending;
  return mount.isBroken() ? BROKEN_STATUS : status;
}

/** @returns The mount that is there again; undefined if there is to be none. */
async function mountAgain(
  request: MountRequest,
  { death, watch, ...options }: ServeOptions & { readonly death: Death; readonly watch: Watch },
): Promise<ServedMount | undefined> {
  const verdict = judgeMount(request, watch);
  if (verdict.do !== "mount again") {
    await carryOut(verdict, request, death);
    return undefined;
  }
  let mount: ServedMount;
  try {
    // Whoever may have had the diff on another machine, the last owner was on this one.
    mount = await serveMount({ ...request, force: false }, { ...options, watch });
  } catch (error) {
    const isUnwanted = error instanceof PbkfsError && error.code === "NotMounted";
    if (options.signal?.aborted) await carryOut({ do: "end" }, request, death);
    else if (isUnwanted) await carryOut({ do: "nothing" }, request, death);
    else await giveUp(request, death, error);
    throw error;
  }
  mount.log.warning(
    `${describeDeath(death)}; mounted again in place. A server on it has to be started again`,
    { restarts: watch.count },
  );
  return mount;
}

/** While a mount is being made, signals give it up, and everything is put back. */
export function interruptible(): {
  readonly signal: AbortSignal;
  /** As a signal does. */
  giveUp(): void;
  done(): void;
} {
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
  return { signal: controller.signal, giveUp, done };
}

/** For who uses a mount to end. */
const RETRY_MS = 250;

/**
 * Serves until the file system is unmounted, by whomever. SIGTERM and SIGINT ask for it: they end a
 * mount that is nowhere in our namespace, or only elsewhere; one that is in use here stays.
 *
 * @param options.waits Whether one that is in use is unmounted as soon as it is not: a terminal, or
 * a service manager, waits for us, and has no other way to ask.
 */
export async function untilEnd(
  mount: ServedMount,
  options: { readonly waits: boolean } = { waits: false },
): Promise<number> {
  const { log, ended } = mount;
  surviveErrors(log);
  let isOver = false;
  ended.catch(() => {}).finally(() => isOver = true);
  const untilStopped = async () => {
    for (let isTold = false; !isOver; isTold = true) {
      try {
        return await mount.stop();
      } catch (error) {
        const isBusy = error instanceof PbkfsError && error.code === "MountBusy";
        if (!isBusy || !options.waits) throw error;
        if (!isTold) log.warning(`${error.message}: unmounted as soon as nobody uses it any more`);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  };
  let isAsked = false;
  const stop = () => {
    if (isAsked) return; // We are at it.
    isAsked = options.waits;
    untilStopped().catch((error) => log.error("unmount failed", error))
      .finally(() => isAsked = false);
  };
  const reopen = () => log.reopen();
  Deno.addSignalListener("SIGHUP", reopen);
  for (const signal of ENDING) Deno.addSignalListener(signal, stop);
  try {
    await ended;
    if (mount.isBroken()) throw new PbkfsError("Io", { what: "The connection was aborted" });
    log.info("unmounted, all is on disk");
    return 0;
  } catch (error) {
    const what = mount.isBroken() ? "the mount is served no more" : "unmounted";
    log.error(`${what}, but not all is on disk`, error);
    // Whoever supervises us can tell by this that a dead mount is left.
    return mount.isBroken() ? CODES.Bug.exitCode : toPbkfsError(error).exitCode;
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
