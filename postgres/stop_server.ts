/**
 * Stops a server that somebody else has started.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type Identity, isRoot } from "./identity.ts";
import { findInstallation } from "./installation.ts";
import { run } from "./_run.ts";

/** Which server. */
export interface StopOptions {
  readonly dataDir: string;
  readonly majorVersion: number;
  /** Who runs it: root becomes that user. */
  readonly user: Identity;
}

/** For a checkpoint of much that is dirty. */
const STOP_SECONDS = 600;
/** What `pg_ctl status` ends with. */
const RUNS = 0;

/**
 * Stops the server in `fast` mode, and returns when it has ended.
 *
 * @returns Whether there was one that we can see.
 * @throws {PbkfsError} `PostgresFailed` if it does not stop, or there are no programs of its version.
 */
export async function stopServer({ dataDir, majorVersion, user }: StopOptions): Promise<boolean> {
  const { binDir } = findInstallation(majorVersion);
  const pgCtl = (...args: string[]) =>
    run({
      command: [`${binDir}/pg_ctl`, "-D", dataDir, ...args],
      user: isRoot() ? user : undefined,
      workDir: "/",
      timeoutMs: (STOP_SECONDS + 10) * 1000,
      env: { PATH: `${binDir}:/usr/bin:/bin`, LC_ALL: "C" },
    });
  if ((await pgCtl("status")).code !== RUNS) return false;
  const { code, stdout, stderr } = await pgCtl("-m", "fast", "-w", "-t", `${STOP_SECONDS}`, "stop");
  if (code === 0) return true;
  throw new PbkfsError("PostgresFailed", {
    what: `The server on "${dataDir}" did not stop: ${`${stderr}${stdout}`.trim()}`,
    todo: "Look at its log, stop it, and unmount again.",
  });
}
