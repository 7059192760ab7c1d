/**
 * `pbkfs unmount`.
 *
 * @module
 */

import { unmount, type Unmounted } from "../daemon/mod.ts";
import type { CommandSpec, Flags } from "./command.ts";
import { DIFF, FORCE, MOUNT_POINT, WAIT } from "./options.ts";
import { showProgress } from "./progress.ts";

interface UnmountFlags extends Flags {
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly wait?: number;
  readonly force?: boolean;
}

/** The command. */
export const UNMOUNT: CommandSpec = {
  name: "unmount",
  summary: "unmount; returns when all is on disk",
  description: [
    "What was written through the mount stays in the diff, which can be mounted again.",
    "The mount is named by its directory or by its diff. One whose process has died, so that the " +
    'system says "transport endpoint is not connected", is cleaned up.',
  ],
  options: [
    { ...MOUNT_POINT, text: "where it is mounted" },
    { ...DIFF, text: "the diff that is mounted" },
    { ...WAIT, text: "for all to be on disk, and for its process to end; default: 60" },
    { ...FORCE, text: "detach it if it is in use: it ends when nobody uses it any more" },
  ],
  examples: ["pbkfs unmount -D /mnt/clone", "pbkfs unmount -d /var/tmp/diff --force"],
  codes: ["NotMounted", "MountBusy", "MountFailed", "PermissionDenied"],
  async run(given) {
    const { mntPath, diffDir, wait, force } = given as UnmountFlags;
    const waitMs = wait === undefined ? undefined : wait * 1000;
    using progress = showProgress("unmounting");
    const outcome = await unmount({ mountPath: mntPath, diffPath: diffDir, waitMs, force });
    progress.say(describe(outcome));
  },
};

function describe({ outcome, mountPath, diffPath, pid, users }: Unmounted): string {
  switch (outcome) {
    case "unmounted":
      return `unmounted ${mountPath}; its changes are in ${diffPath}`;
    case "cleaned":
      return `cleaned up ${mountPath}, whose process had died; ` +
        `the diff ${diffPath} can be mounted again`;
    case "detached": {
      const names = users.map((user) => `${user.command} (${user.pid})`).join(", ") || "unknown";
      return `detached ${mountPath}; process ${
        pid ?? "of the mount"
      } goes on until the last user ` +
        `lets go: ${names}. Only then is all on disk, and ${diffPath} can be mounted again`;
    }
  }
}
