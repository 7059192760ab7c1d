/**
 * What a mount tells of itself.
 *
 * @module
 */

import { runCli } from "./cli.ts";
import type { Identity } from "./users.ts";

/** What a mount has done so far. */
export type Counters = Readonly<Record<string, number>>;

/** Asks the mount at `mountDir`, as the user that mounted it. */
export async function countersOf(mountDir: string, user?: Identity): Promise<Counters> {
  const { code, stdout, stderr } = await runCli(["status", "-D", mountDir, "--json"], { user });
  if (code !== 0) throw new Error(`status ended with status ${code}: ${stderr}`);
  return JSON.parse(stdout).mounts[0].counters;
}
