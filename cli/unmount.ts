/**
 * `pbkfs unmount`.
 *
 * @module
 */

import { Command } from "commander";
import { unmount } from "../daemon/mod.ts";
import { say } from "./output.ts";

/** The command. */
export function unmountCommand(): Command {
  return new Command("unmount")
    .description("unmount; returns when all is on disk")
    .requiredOption("-D, --mnt-path <dir>", "where it is mounted")
    .addHelpText("after", "\nExample:\n  pbkfs unmount -D /mnt/clone")
    .action(async ({ mntPath }: { readonly mntPath: string }) => {
      const { mountPath, diffPath, daemon } = await unmount(mntPath);
      say(
        daemon
          ? `unmounted ${mountPath}; its changes are in ${diffPath}`
          : `cleaned up ${mountPath}, whose process had died; the diff ${diffPath} can be mounted again`,
      );
    });
}
