/**
 * Tests that need what not every machine has. One that is skipped says why.
 *
 * @module
 */

import { tryFindInstallation } from "../../postgres/mod.ts";

/** Why a test cannot run here; undefined if it can. */
export type Obstacle = string | undefined;

/** Tests that mount or start servers end in that time, or have failed. */
const TIME_LIMIT_MS = 240_000;

/**
 * Registers a test with a time limit, or, where there is an obstacle, skips it and prints why:
 * `./run test` repeats these lines at the end.
 */
export function testUnless(obstacle: Obstacle, name: string, fn: () => void | Promise<void>): void {
  if (obstacle !== undefined) {
    Deno.stdout.writeSync(new TextEncoder().encode(`SKIPPED ${name}: ${obstacle}\n`));
  }
  Deno.test({ name, fn, ignore: obstacle !== undefined, timeout: TIME_LIMIT_MS });
}

/** What keeps us from mounting, as root or as an ordinary user. */
export function mountObstacle(as: "us" | "ordinary user" = "us"): Obstacle {
  let mode: number;
  try {
    mode = Deno.statSync("/dev/fuse").mode ?? 0;
  } catch {
    return "this machine has no /dev/fuse";
  }
  const isOrdinary = as === "ordinary user" || Deno.uid() !== 0;
  if (isOrdinary && (mode & 0o006) !== 0o006) return "ordinary users may not open /dev/fuse";
  if (isOrdinary && !hasProgram("fusermount3")) return "there is no fusermount3";
  return undefined;
}

/** What keeps us from running a server of a version. */
export function serverObstacle(majorVersion: number): Obstacle {
  if (tryFindInstallation(majorVersion) !== undefined) return undefined;
  return `PostgreSQL ${majorVersion} is not installed`;
}

function hasProgram(name: string): boolean {
  const dirs = ["/usr/bin", "/bin", ...(Deno.env.get("PATH") ?? "").split(":")];
  return dirs.some((dir) => {
    try {
      return Deno.statSync(`${dir}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}
