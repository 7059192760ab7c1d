/**
 * The daemon's life: from the request on stdin to the end of the mount.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { type ServedMount, serveMount } from "./daemon.ts";
import type { MountRequest, StartAnswer } from "./protocol.ts";

/** Serves the mount that stdin asks for, and answers on stdout. @returns The exit status. */
export async function runDaemon(): Promise<number> {
  let mount: ServedMount;
  try {
    const request: MountRequest = await new Response(Deno.stdin.readable).json();
    mount = await serveMount(request);
  } catch (error) {
    answer({ error: toPbkfsError(error).toJSON() });
    return toPbkfsError(error).exitCode;
  }
  // Nobody reads our stderr once the command that started us is gone: the log takes over.
  useLog(mount.diff.logPath);
  log(`mounted, process ${Deno.pid}`);
  answer({ mounted: { pid: Deno.pid, notes: [] } });
  return await untilEnd(mount);
}

/** Serves until the file system is unmounted, by whomever; SIGTERM and SIGINT ask for it. */
export async function untilEnd(mount: ServedMount): Promise<number> {
  const stop = () => {
    mount.unmount().catch((error) => log(toPbkfsError(error).message));
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
  try {
    await mount.ended;
    log("unmounted, all is on disk");
    return 0;
  } catch (error) {
    log(`unmounted, but not all is on disk: ${toPbkfsError(error).message}`);
    return toPbkfsError(error).exitCode;
  } finally {
    for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.removeSignalListener(signal, stop);
  }
}

function answer(data: StartAnswer): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(data)}\n`));
}

function useLog(path: string): void {
  const libc = systemLibc();
  const flags = OPEN.readWrite | OPEN.create | OPEN.append;
  const fd = libc.open(byteStringOf(path), flags, 0o600);
  libc.replace(fd, 2);
  libc.close(fd);
}

function log(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${new Date().toISOString()} ${text}\n`));
}
