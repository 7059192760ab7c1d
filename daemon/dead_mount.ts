/**
 * A mount whose process has died: the kernel lists it, and answers every access with an error. That
 * it is dead, and nobody's, is sure only while we have the lock of its diff.
 *
 * @module
 */

import { afterDeath } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { detach } from "./detach.ts";
import { removeMade } from "./made_directory.ts";
import { claimMountPoint } from "./mount_point.ts";
import {
  findMount,
  findPbkfsMount,
  listMounts,
  type PbkfsMount,
  SOURCE_PREFIX,
} from "./mount_table.ts";

/** Whether the kernel lists a mount. */
export function isListed({ mountPath, diffPath }: PbkfsMount): boolean {
  return listMounts().some((mount) =>
    mount.mountPath === mountPath && mount.source === `${SOURCE_PREFIX}${diffPath}`
  );
}

/** Whether a mount is listed, and not hidden by another one on the same directory. */
function isOnTop({ mountPath, diffPath }: PbkfsMount): boolean {
  return findPbkfsMount(mountPath)?.diffPath === diffPath;
}

/**
 * Takes a dead mount away, if it is there, and leaves a mark in the diff, if there is a reason to.
 *
 * @param givenUp See {@link Owner}.
 * @returns Whether there was something to take away.
 * @throws {PbkfsError} `DiffInUse` if somebody has the diff: then it is not dead, or not ours.
 */
export async function takeAway(mount: PbkfsMount, givenUp?: string): Promise<boolean> {
  const libc = systemLibc();
  let wasThere = false;
  await afterDeath(mount.diffPath, libc, async () => {
    wasThere = isOnTop(mount);
    // Who has files open in it gets nothing but errors already.
    if (wasThere) await detach(mount.mountPath, libc, { lazy: true });
    removeMade(mount);
    return givenUp;
  });
  return wasThere;
}

/**
 * Takes the dead mount of a diff, whose lock we have, out of the way of the one that comes next.
 *
 * @returns Gives up the claim on the mount point; see {@link claimMountPoint}.
 * @throws {PbkfsError} `NotMounted` if somebody was faster: then it is not wanted any more;
 * `MountDirBusy` if something else hides it.
 */
export async function makeWay(mount: PbkfsMount): Promise<() => void> {
  const { mountPath } = mount;
  if (!isListed(mount)) {
    throw new PbkfsError("NotMounted", {
      what: `"${mountPath}" has been unmounted meanwhile`,
      todo: "Mount again if it is still wanted.",
    });
  }
  if (!isOnTop(mount)) {
    throw new PbkfsError("MountDirBusy", {
      what: `"${
        findMount(mountPath)?.source
      }" has been mounted on "${mountPath}", over the dead mount`,
      todo: "Unmount it, then what is below, and mount again.",
    });
  }
  const libc = systemLibc();
  await detach(mountPath, libc, { lazy: true });
  return claimMountPoint(mountPath, libc);
}
