/**
 * The JSON document that `pbkfs status --json` prints. `schemas/status.json` describes it.
 *
 * @module
 */

import type { MountReport } from "../operate/mod.ts";
import type { BackgroundTasks, MountStatus, TaskStatus } from "../observe/mod.ts";

/** A mount of the document; of one that does not answer, only where it is. */
export type ShownMount =
  & Pick<MountReport, "mountPath" | "diffPath" | "state">
  & Partial<Omit<MountStatus, "mountPath" | "diffPath" | "mountedAt" | "restarts" | "tasks">>
  & Pick<MountReport, "server" | "holders" | "hazards">
  & {
    readonly mountedAt?: string;
    readonly restarts?: ShownRestarts;
    readonly tasks?: ShownTasks;
  };

/** Times as text. */
type ShownRestarts = Omit<MountStatus["restarts"], "last"> & {
  readonly last?: Omit<NonNullable<MountStatus["restarts"]["last"]>, "at"> & {
    readonly at: string;
  };
};

/** The same. */
type ShownTasks = Omit<BackgroundTasks, "list"> & {
  readonly list: readonly (Omit<TaskStatus, "endedAt"> & { readonly endedAt?: string })[];
};

/** The document. */
export interface StatusDocument {
  readonly document: "pbkfs.status";
  readonly version: 1;
  readonly time: string;
  readonly mounts: readonly ShownMount[];
}

/** What serves a mount may be older than we, and not tell. */
const UNWATCHED: MountStatus["restarts"] = { count: 0, isWatched: false };

/** Mounts as a document. */
export function statusDocument(reports: readonly MountReport[]): StatusDocument {
  return {
    document: "pbkfs.status",
    version: 1,
    time: new Date().toISOString(),
    mounts: reports.map(({ status, server, holders, hazards, ...place }) => ({
      ...place,
      ...(status !== undefined && shownStatus({ ...status, ...place })),
      ...(server !== undefined && { server }),
      ...(holders !== undefined && { holders }),
      ...(hazards !== undefined && { hazards }),
    })),
  };
}

/** What it is and does, with times as text. */
function shownStatus<T extends MountStatus>({ tasks, mountedAt, restarts, ...rest }: T) {
  return {
    ...rest,
    mountedAt: new Date(mountedAt).toISOString(),
    restarts: shownRestarts(restarts ?? UNWATCHED),
    ...(tasks !== undefined && { tasks: shownTasks(tasks) }),
  };
}

function shownTasks({ list, ...rest }: BackgroundTasks): ShownTasks {
  return {
    ...rest,
    list: list.map(({ endedAt, ...task }) => ({
      ...task,
      ...(endedAt !== undefined && { endedAt: new Date(endedAt).toISOString() }),
    })),
  };
}

function shownRestarts({ last, ...rest }: MountStatus["restarts"]): ShownRestarts {
  return { ...rest, ...(last && { last: { ...last, at: new Date(last.at).toISOString() } }) };
}
