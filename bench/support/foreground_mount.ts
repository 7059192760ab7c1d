/**
 * A mount whose process is a child of ours, so that we hear what its runtime prints.
 *
 * @module
 */

import { mountStatus } from "../../operate/mod.ts";
import { runCli } from "../../tests/support/cli.ts";
import { mountArguments } from "../../tests/support/mount_backup.ts";
import { detachMounts, isMounted } from "../../tests/support/mounts.ts";
import type { World } from "./world.ts";

/** A mount in the foreground. Leaving the scope ends it, also if it is in use. */
export interface ForegroundMount extends AsyncDisposable {
  readonly mountDir: string;
  readonly pid: number;
  /** When it could be used, as `performance.now()` tells. */
  readonly mountedAt: number;
  /** Unmounts, and fails if the command does. @returns All that the process printed on stdout. */
  unmount(): Promise<string>;
}

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const START_LIMIT_MS = 60_000;

/** Mounts the newest backup of a catalog. @param env Variables for the process. */
export async function mountInForeground(
  world: World,
  catalogDir: string,
  env: Readonly<Record<string, string>>,
): Promise<ForegroundMount> {
  const [mountDir, diffDir] = [world.newPath("mount"), world.newPath("diff")];
  Deno.mkdirSync(mountDir);
  if (world.user !== undefined) Deno.chownSync(mountDir, world.user.uid, world.user.gid);
  const options = { catalogDir, diffDir, mountDir, extra: ["--foreground", "--log-sink", "file"] };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", CLI, ...mountArguments(options)],
    cwd: "/",
    env: { ...env, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const printed = new Response(child.stdout).text();
  let isGone = false;
  const unmount = async () => {
    if (isMounted(mountDir)) {
      const { code, stderr } = await runCli(["unmount", "-D", mountDir]);
      if (code !== 0) throw new Error(`unmount ended with status ${code}: ${stderr}`);
    }
    await child.status;
    return await printed;
  };
  const dispose = async () => {
    if (isGone) return;
    isGone = true;
    try {
      if (!isMounted(mountDir)) endIfAlive(child, "SIGTERM");
      await unmount();
    } catch {
      // Whoever uses it would keep it for ever. Why the scope is left so, an earlier error tells.
      endIfAlive(child, "SIGKILL");
      await child.status;
    } finally {
      detachMounts(mountDir);
      await Deno.remove(diffDir, { recursive: true });
      await Deno.remove(mountDir);
    }
  };
  world.defer(dispose);
  await untilAnswers(mountDir);
  const mountedAt = performance.now();
  return { mountDir, pid: child.pid, mountedAt, unmount, [Symbol.asyncDispose]: dispose };
}

function endIfAlive(child: Deno.ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended.
  }
}

async function untilAnswers(mountDir: string): Promise<void> {
  for (const deadline = Date.now() + START_LIMIT_MS; Date.now() < deadline;) {
    try {
      if (isMounted(mountDir)) return void await mountStatus(mountDir);
    } catch {
      // It listens, but does not serve yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Nothing was mounted on ${mountDir} in ${START_LIMIT_MS} ms`);
}
