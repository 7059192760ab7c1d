/**
 * Has the kernel send what it has gathered of writes through a mount, wherever that is mounted.
 *
 * A program does it, since a process that waits for its own mount could not be killed any more. It
 * returns when the kernel has sent all: it does not wait until a FUSE file system has answered.
 *
 * @module
 * @see syncfs(2), sync(1)
 */

import { PbkfsError } from "../errors.ts";
import { waysInto } from "./holders.ts";

/** Ways that are tried before the whole machine is synced: one is as good as another. */
const WAYS_MAX = 8;

/**
 * Has the kernel send what was written to `device`. Where nothing of it can be reached, all file
 * systems of the machine are synced.
 *
 * @throws {PbkfsError} `Io` if that failed, or took longer than `limitMs`.
 */
export async function syncMount(device: string, limitMs: number): Promise<void> {
  const signal = AbortSignal.timeout(limitMs);
  for (const path of waysInto(device).slice(0, WAYS_MAX)) {
    // It may be gone by now, or closed to us.
    if (await run(["-f", "--", path], signal) === undefined) return;
  }
  const failure = await run([], signal);
  if (failure === undefined) return;
  throw new PbkfsError("Io", {
    what: `The kernel could not be asked to send what it has of the mount: ${failure}`,
    todo: "See what keeps the program sync from its work.",
  });
}

/** @returns Why it failed; undefined if it did not. */
async function run(args: string[], signal: AbortSignal): Promise<string | undefined> {
  if (signal.aborted) return "it takes too long";
  try {
    const child = new Deno.Command("sync", {
      ...{ args, signal, cwd: "/", stdin: "null", stdout: "null", stderr: "piped" },
      // Root's own environment is not for the user for whom root mounts, who could read it there.
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", LC_ALL: "C" },
    });
    const { success, stderr } = await child.output();
    if (success) return undefined;
    return signal.aborted ? "it takes too long" : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return (error as Error).message;
  }
}
