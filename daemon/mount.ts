/**
 * Mounts a backup: checks everything that can be checked, then starts the process behind it.
 *
 * @module
 */

import { resolveChain } from "../backup/mod.ts";
import type { WalPlace } from "../binding/mod.ts";
import { type ServedMount, serveMount } from "./daemon.ts";
import { checkDiffPlace, checkFuse, checkMountDir, environment } from "./environment.ts";
import type { MountRequest } from "./protocol.ts";
import { startDaemon, type StartedMount } from "./start.ts";

/** What to mount, and where. */
export interface MountOptions {
  readonly catalogPath: string;
  /** May be left out if the catalog has one. */
  readonly instance?: string;
  /** An id, or `latest`, the default. */
  readonly backupId?: string;
  readonly diffPath: string;
  readonly mountPath: string;
  readonly wal?: WalPlace;
  /** The pg_probackup program; looked for on PATH if left out. */
  readonly probackup?: string;
}

/** Checks what can be refused before anything is made. @throws {PbkfsError} the first refusal. */
export async function prepareMount(options: MountOptions): Promise<MountRequest> {
  const { catalogPath, instance, backupId, probackup, wal } = options;
  checkFuse(environment());
  const mountPath = checkMountDir(options.mountPath);
  const spec = await resolveChain({
    catalogPath,
    ...(instance !== undefined && { instance }),
    ...(backupId !== undefined && { backupId }),
    ...(probackup !== undefined && { probackup }),
  });
  const diffPath = checkDiffPlace(options.diffPath, { catalogPath: spec.catalogPath, mountPath });
  return { spec, diffPath, mountPath, wal };
}

/** Mounts, and returns when the mount answers. A process of its own serves it. */
export async function mount(options: MountOptions): Promise<StartedMount & MountRequest> {
  const request = await prepareMount(options);
  const started = await startDaemon(request);
  // The kernel answers this only if the daemon does.
  Deno.statSync(`${request.mountPath}/PG_VERSION`);
  return { ...started, ...request };
}

/** Mounts, and serves the mount from this process. */
export async function mountHere(options: MountOptions): Promise<ServedMount & MountRequest> {
  const request = await prepareMount(options);
  return { ...await serveMount(request), ...request };
}
