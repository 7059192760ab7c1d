/**
 * `pbkfs unmount`.
 *
 * @module
 */

import { describeHolders, unmount, type Unmounted } from "../operate/mod.ts";
import type { CommandSpec, Flags } from "./command.ts";
import { FORCE, MOUNTED, MOUNTED_DIFF, WAIT } from "./options.ts";
import { showProgress } from "./progress.ts";

interface UnmountFlags extends Flags {
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly wait?: number;
  readonly force?: boolean;
  readonly stopServer?: boolean;
}

/** The command. */
export const UNMOUNT: CommandSpec = {
  name: "unmount",
  summary: "unmount; returns when all is on disk",
  description: [
    "What was written through the mount stays in the diff, which can be mounted again.",
    "A mount that a server runs on is in use, and stays: the command that stops the server is " +
    "printed. With --stop-server it is run, in mode fast, as the user whom the files belong to.",
    "The mount is named by its directory or by its diff. One whose process has died, so that the " +
    'system says "transport endpoint is not connected", is cleaned up.',
    "Another mount namespace, of a container, of a service with private mounts, or of unshare(1), " +
    "may keep a copy of the mount. Then it is unmounted here, all that was written is brought to " +
    "disk, the processes that keep it are named, and its own process goes on until they end, with " +
    "the diff locked. With --force it ends at once, and they get errors.",
  ],
  options: [
    { ...MOUNTED, text: "where it is mounted" },
    { ...MOUNTED_DIFF, text: "the diff that is mounted" },
    {
      ...WAIT,
      text:
        "for all to be on disk, and for its process to end; default: 60, or 2 if others keep it",
    },
    {
      ...FORCE,
      text: "detach it if it is in use: it ends when nobody uses it any more; if it is detached " +
        "already, or kept elsewhere, end it now",
    },
    { long: "--stop-server", text: "first stop the server that runs on it" },
  ],
  examples: [
    "pbkfs unmount -D /mnt/clone",
    "pbkfs unmount -D /mnt/clone --stop-server",
    "pbkfs unmount -d /var/tmp/diff --force",
  ],
  codes: [
    ...["NotMounted", "MountBusy", "MountKept", "MountFailed", "PermissionDenied"] as const,
    ...["PostgresFailed", "DiskFull"] as const,
  ],
  async run(given) {
    const { mntPath, diffDir, wait, force, stopServer } = given as UnmountFlags;
    const waitMs = wait === undefined ? undefined : wait * 1000;
    using progress = showProgress("unmounting");
    const outcome = await unmount({
      ...{ mountPath: mntPath, diffPath: diffDir, waitMs, force, stopServer },
      onProgress: progress.say,
    });
    progress.say(describe(outcome));
  },
};

function describe({ outcome, mountPath, diffPath, pid, users }: Unmounted): string {
  switch (outcome) {
    case "unmounted":
      return `unmounted ${mountPath}; its changes are in ${diffPath}`;
    case "ended":
      return `ended ${mountPath}, and took it from ${describeHolders(users)}; ` +
        `its changes are in ${diffPath}`;
    case "cleaned":
      return `cleaned up ${mountPath}, whose process had died; ` +
        `the diff ${diffPath} can be mounted again`;
    case "detached": {
      const names = users.map((user) => `${user.command} (${user.pid})`).join(", ") || "unknown";
      return `detached ${mountPath}; process ${
        pid ?? "of the mount"
      } goes on until the last user ` +
        `lets go: ${names}. Only then is all on disk, and ${diffPath} can be mounted again. ` +
        `To end it before: pbkfs unmount --force -d "${diffPath}"`;
    }
  }
}
