/**
 * `pbkfs status`.
 *
 * @module
 */

import { Command } from "commander";
import { mountStatus } from "../daemon/mod.ts";
import { print } from "./output.ts";

/** The command. */
export function statusCommand(): Command {
  return new Command("status")
    .description("tell what a mount is and what it has done")
    .requiredOption("-D, --mnt-path <dir>", "where it is mounted")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  pbkfs status -D /mnt/clone --json")
    .action(async ({ mntPath, json }: { readonly mntPath: string; readonly json?: boolean }) => {
      const status = await mountStatus(mntPath);
      if (json === true) return print(JSON.stringify(status, null, 2));
      const { counters, mountedAt, ...facts } = status;
      const since = new Date(mountedAt).toISOString();
      for (const [name, value] of Object.entries({ ...facts, since, ...counters })) {
        print(`${name.padEnd(16)} ${value}`);
      }
    });
}
