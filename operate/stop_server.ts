/**
 * Stopping the server that runs on a mount, before it is unmounted.
 *
 * @module
 */

import { readBinding } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { forUs, type Identity, parseMajorVersion, stopServer } from "../postgres/mod.ts";
import { inTime, type PbkfsMount, usersOf } from "../daemon/mod.ts";
import { serverAdvice } from "./server_advice.ts";
import { serverOn } from "./server_on.ts";

/** For one file of the mount to be read. */
const LOOK_MS = 3_000;
/** For processes that have nothing left to do. */
const END_MS = 10_000;

/**
 * Stops the server on a mount, if there is one that we see.
 *
 * @throws {PbkfsError} `PostgresFailed` if it does not stop.
 */
export async function stopMountedServer(
  mount: PbkfsMount,
  onProgress: (text: string) => void = () => {},
): Promise<void> {
  const binding = readBinding(mount.diffPath);
  if (binding === undefined || !await mayHaveServer(mount.mountPath)) return;
  const isStopped = await stopServer({
    dataDir: mount.mountPath,
    majorVersion: parseMajorVersion(binding.serverVersion) ?? NaN,
    user: await inTime(ownerOfMount(mount), LOOK_MS, binding.owner),
  });
  if (!isStopped) return;
  await untilGone(mount.mountPath);
  onProgress(`stopped the server on ${mount.mountPath}`);
}

/** Whom the files belong to; a mount that does not let us look is of who has its diff. */
async function ownerOfMount({ mountPath, diffPath }: PbkfsMount): Promise<Identity> {
  const { uid, gid } = await Deno.stat(mountPath).catch(() => Deno.stat(diffPath));
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

/** A server has stopped when its pid file is gone; its processes take a moment longer to end. */
async function untilGone(mountPath: string): Promise<void> {
  const deadline = Date.now() + END_MS;
  const isThere = () =>
    usersOf(mountPath).some(({ command }) => /^post(gres|master)/.test(command));
  while (isThere() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What keeps a mount busy, with the command that stops it if that is a server. */
export async function withStopCommand(error: unknown, mount: PbkfsMount): Promise<unknown> {
  if (!(error instanceof PbkfsError) || !await mayHaveServer(mount.mountPath)) return error;
  const commands = serverAdvice(mount)?.commands;
  if (commands === undefined) return error;
  return new PbkfsError(error.code, {
    what: error.message,
    todo: `Unmount with --stop-server, or stop the server first: ${forUs(commands.stop)}`,
    cause: error,
  });
}

/** A mount of another user does not say. */
async function mayHaveServer(mountPath: string): Promise<boolean> {
  const server = await inTime(serverOn(mountPath), LOOK_MS, { state: "none" } as const);
  return server.state === "running" || server.state === "unknown";
}
