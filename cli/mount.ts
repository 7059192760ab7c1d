/**
 * `pbkfs mount`.
 *
 * @module
 */

import { Command, Option } from "commander";
import { destOf } from "../backup/mod.ts";
import { mount, mountHere, type MountOptions, untilEnd } from "../daemon/mod.ts";
import { say } from "./output.ts";

interface Flags {
  readonly pbkStore: string;
  readonly instance?: string;
  readonly backupId: string;
  readonly diffDir: string;
  readonly mntPath: string;
  readonly wal?: "inside" | "outside";
  readonly pgProbackup?: string;
  readonly foreground?: boolean;
}

/** The command. */
export function mountCommand(): Command {
  return new Command("mount")
    .description("mount a backup as a live, writable PostgreSQL data directory")
    .requiredOption("-B, --pbk-store <dir>", "the backup catalog")
    .option("-I, --instance <name>", "the instance; may be left out if there is one")
    .option("-i, --backup-id <id>", "the backup, or latest", "latest")
    .requiredOption("-d, --diff-dir <dir>", "where changes go; made if absent")
    .requiredOption("-D, --mnt-path <dir>", "where to mount: an empty directory")
    .addOption(
      new Option(
        "--wal <place>",
        "pg_wal beside the diff's data, or in the mount (default: outside)",
      )
        .choices(["outside", "inside"]),
    )
    .option("--pg-probackup <file>", "the pg_probackup program; default: as found on PATH")
    .option("--foreground", "serve the mount from this process, until it is unmounted")
    .addHelpText(
      "after",
      `
Example:
  pbkfs mount -B /backup -I main -i latest -d /var/tmp/diff -D /mnt/clone
  sudo -u postgres pg_ctl -D /mnt/clone -o '-p 5433' start`,
    )
    .action(async (flags: Flags) => {
      const options = toOptions(flags);
      if (flags.foreground === true) {
        const served = await mountHere(options);
        say(`mounted on ${served.mountPath}; interrupt to unmount`);
        Deno.exitCode = await untilEnd(served);
        return;
      }
      const { spec, mountPath, diffPath, notes } = await mount(options);
      const kinds = spec.members.map(({ id, mode }) => `${id} ${mode}`).join(", ");
      say(`mounted ${destOf(spec).id} of ${spec.instance} (${kinds}) on ${mountPath}`);
      say(`changes go to ${diffPath}`);
      for (const note of notes) say(note);
    });
}

function toOptions(flags: Flags): MountOptions {
  return {
    catalogPath: flags.pbkStore,
    backupId: flags.backupId,
    diffPath: flags.diffDir,
    mountPath: flags.mntPath,
    ...(flags.instance !== undefined && { instance: flags.instance }),
    ...(flags.wal !== undefined && { wal: flags.wal }),
    ...(flags.pgProbackup !== undefined && { probackup: flags.pgProbackup }),
  };
}
