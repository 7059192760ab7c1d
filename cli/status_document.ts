/**
 * What `pbkfs status --json` prints. `schemas/status.json` describes it.
 *
 * @module
 */

import type { MountReport } from "../operate/mod.ts";
import type { MountStatus } from "../observe/mod.ts";

/** A mount of the document; of one that does not answer, only where it is. */
export type ShownMount =
  & Pick<MountReport, "mountPath" | "diffPath" | "state">
  & Partial<Omit<MountStatus, "mountPath" | "diffPath" | "mountedAt" | "restarts">>
  & Pick<MountReport, "server" | "holders" | "hazards">
  & { readonly mountedAt?: string; readonly restarts?: ShownRestarts };

/** Times as text. */
type ShownRestarts = Omit<MountStatus["restarts"], "last"> & {
  readonly last?: Omit<NonNullable<MountStatus["restarts"]["last"]>, "at"> & {
    readonly at: string;
  };
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
      ...(status !== undefined && {
        ...{ ...status, ...place },
        mountedAt: new Date(status.mountedAt).toISOString(),
        restarts: shownRestarts(status.restarts ?? UNWATCHED),
      }),
      ...(server !== undefined && { server }),
      ...(holders !== undefined && { holders }),
      ...(hazards !== undefined && { hazards }),
    })),
  };
}

function shownRestarts({ last, ...rest }: MountStatus["restarts"]): ShownRestarts {
  return { ...rest, ...(last && { last: { ...last, at: new Date(last.at).toISOString() } }) };
}
