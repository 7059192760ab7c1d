/**
 * The reports of `pbkfs status`: of all mounts of this host, or of one.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { listDetached } from "../daemon/mod.ts";
import { PbkfsError } from "../errors.ts";
import { findServed, type MountPlace } from "./find_mount.ts";
import { listPbkfsMounts, type MountReport, reportDetached, reportMounts } from "./list_mounts.ts";

/**
 * Asks mounts what they are and what they have done.
 *
 * @param place Of one mount; all mounts, also dead and stuck ones, if it names nothing.
 * @throws {PbkfsError} Of one mount, `NotMounted`, or why it does not tell.
 */
export async function mountReports(place: MountPlace = {}): Promise<MountReport[]> {
  if (place.mountPath === undefined && place.diffPath === undefined) {
    const [mounted, detached] = await Promise.all([
      reportMounts(listPbkfsMounts()),
      listDetached(),
    ]);
    return [...mounted, ...detached.map(reportDetached)];
  }
  const { isMounted, mount } = await findServed(place);
  const reports = isMounted ? await reportMounts([mount]) : [reportDetached(mount)];
  reports.forEach(mustServe);
  return reports;
}

function mustServe({ state, mountPath, diffPath }: MountReport): void {
  switch (state) {
    case "serving":
    case "detached":
      return;
    case "dead":
      throw new PbkfsError("NotMounted", {
        what: `The process behind the mount on "${mountPath}" is gone`,
        todo: `Clean up with: pbkfs unmount -D "${mountPath}"`,
      });
    case "restarting":
      throw new PbkfsError("MountBusy", {
        what: `The process behind the mount on "${mountPath}" has died; it is being mounted again`,
        todo: `Ask again in a moment, or look at "${pathsIn(diffPath).log}".`,
      });
    case "silent":
      throw new PbkfsError("MountBusy", {
        what: `The process behind the mount on "${mountPath}" does not answer`,
        todo: `Look at "${pathsIn(diffPath).log}".`,
      });
    case "forbidden":
      throw new PbkfsError("PermissionDenied", {
        what: `The mount on "${mountPath}" belongs to another user`,
        todo: "Ask as the user who mounted it, or as root.",
      });
  }
}
