/**
 * All pbkfs mounts of this host, and what each tells of itself. A mount that is dead or stuck is
 * listed as such: nothing here waits for it.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import {
  ask,
  type DetachedMount,
  findPbkfsMount,
  guardianOf,
  inTime,
  listMounts,
  type MountHolder,
  type PbkfsMount,
  SOURCE_PREFIX,
} from "../daemon/mod.ts";
import type { MountStatus } from "../observe/mod.ts";
import type { CloneHazard } from "../postgres/mod.ts";
import { serverHazards } from "./server_hazards.ts";
import { serverOn, type ServerState } from "./server_on.ts";

/** How a mount is. */
export type MountState =
  /** Its process answers. */
  | "serving"
  /** Mounted nowhere any more; its process goes on for those who keep it. */
  | "detached"
  /** Its process is gone: every access fails until it is unmounted. */
  | "dead"
  /** Its process has died, and another one is about to mount again. */
  | "restarting"
  /** Its process is there, but has not answered in time. */
  | "silent"
  /** It belongs to another user. */
  | "forbidden";

/** One mount. */
export interface MountReport extends PbkfsMount {
  readonly state: MountState;
  /** Only of mounts that are `serving` or `detached`. */
  readonly status?: MountStatus;
  readonly server?: ServerState;
  /** Only of a `detached` one: who keeps it, as far as we may know. */
  readonly holders?: readonly MountHolder[];
  /** Only while a server runs: what of its settings may harm production. */
  readonly hazards?: readonly CloneHazard[];
}

const ANSWER_MS = 3000;

/** The pbkfs mounts in the kernel's list; of those on one directory, the topmost. */
export function listPbkfsMounts(): PbkfsMount[] {
  const paths = listMounts()
    .filter(({ type, source }) => type === "fuse.pbkfs" && source.startsWith(SOURCE_PREFIX))
    .map(({ mountPath }) => mountPath);
  return [...new Set(paths)].map(findPbkfsMount).filter((mount) => mount !== undefined);
}

/** Asks mounts, all at once. */
export function reportMounts(mounts: readonly PbkfsMount[]): Promise<MountReport[]> {
  return Promise.all(mounts.map(reportMount));
}

/** What is known of a detached mount. There is no path by which to look into it. */
export function reportDetached(mount: DetachedMount | PbkfsMount): MountReport {
  if (!("status" in mount)) return { ...mount, state: "silent" };
  return { ...mount, state: "detached", server: { state: "unknown" } };
}

async function reportMount(mount: PbkfsMount): Promise<MountReport> {
  const answer = await inTime(askStatus(mount), ANSWER_MS, "silent" as const);
  if (typeof answer === "string") return { ...mount, state: answer };
  const server = await inTime<ServerState, ServerState>(serverOn(mount.mountPath), ANSWER_MS, {
    state: "unknown",
  });
  const report: MountReport = { ...mount, state: "serving", status: answer, server };
  if (server.state !== "running") return report;
  const hazards = await inTime(
    serverHazards(mount.mountPath, answer.serverVersion),
    ANSWER_MS,
    undefined,
  );
  return { ...report, ...(hazards !== undefined && { hazards }) };
}

async function askStatus({ diffPath }: PbkfsMount): Promise<MountStatus | MountState> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await ask(pathsIn(diffPath).socket, { operation: "status" }, signal);
    if (answer === undefined) return guardianOf(diffPath) === undefined ? "dead" : "restarting";
    if ("status" in answer) return answer.status;
    return "error" in answer ? "silent" : "dead";
  } catch (error) {
    const isDenied = error instanceof Deno.errors.PermissionDenied ||
      (error instanceof PbkfsError && error.code === "PermissionDenied");
    return isDenied ? "forbidden" : "silent";
  }
}
