/**
 * `pbkfs mount`.
 *
 * @module
 */

import { DIFF_NAMES, mount, mountHere, type MountOptions, serverAdvice } from "../operate/mod.ts";
import { type CommandSpec, required } from "./command.ts";
import { LOGGING, loggingOf } from "./logging.ts";
import { mountDocument } from "./mount_document.ts";
import {
  BACKUP,
  CATALOG,
  DIFF,
  FORCE,
  FROM,
  INSTANCE,
  JSON_OUTPUT,
  MOUNT_POINT,
  WAIT,
} from "./options.ts";
import { printJson, say } from "./output.ts";
import { PROBACKUP_OPTIONS, type ProbackupFlags, probackupOf } from "./probackup.ts";
import { showProgress } from "./progress.ts";
import { adviceLines } from "./server_text.ts";

/** What this command is given. Each name is that of an option below. */
interface MountFlags extends ProbackupFlags {
  readonly pbkStore?: string;
  readonly from?: string;
  readonly instance?: string;
  readonly backupId?: string;
  readonly diffDir: string;
  readonly mntPath?: string;
  readonly wal?: "inside" | "outside";
  readonly foreground?: boolean;
  readonly wait?: number;
  /** true unless `--no-restart` is given. */
  readonly restart: boolean;
  /** true unless `--no-store-lock` is given. */
  readonly storeLock: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly salvage?: boolean;
}

/** The command. */
export const MOUNT: CommandSpec = {
  name: "mount",
  summary: "mount a backup as a live, writable PostgreSQL data directory",
  description: [
    "Returns when the mount can be used. Another process serves it, until it is unmounted. Says " +
    "which version of PostgreSQL goes with it, who has to start it, and by which command.",
    "A diff knows its backup: mounting it again, for which -d alone is enough, continues the " +
    "clone. A catalog that has been moved is named with -B once; the mount point may be another.",
    "pg_probackup, where it is installed, is asked for the backups and their statuses, and the " +
    "control files are read as well: what the two do not tell alike is not mounted. If the program " +
    "fails, or takes longer than its time, the control files alone are gone by, with a note.",
    "Should that process die, a small one beside it mounts again in place, and tells so in the log " +
    "and in pbkfs status. Until then all access fails, so a server on the mount has to be started " +
    "again; what it had synced is there. After three deaths within a minute the mount is taken away.",
    "With --from, a data directory is mounted as it is: the plain output of pg_basebackup, or that of " +
    "a server that does not run. Names and sizes are compared with its backup_manifest, if it has " +
    "one; run pg_verifybackup for its contents. A tablespace is served from where its link leads. " +
    "It is never written, and nothing may write to it while it is mounted: it is watched, and once " +
    "a server starts on it, or a file of it has changed, reads fail.",
    "A diff that has lost something is refused. With --salvage it is served as far as it can be, " +
    "read-only, and nothing of it is changed: metadata that ends too soon gives an earlier state, " +
    "missing bytes of files are I/O errors, and data files that nothing names are in the directory " +
    `${DIFF_NAMES.lostAndFound} of the mount, under their numbers. No server can run on it.`,
    "The catalog is only read, but for pg_probackup's own lock files: while a backup is mounted, " +
    "its delete and merge wait for a minute and then fail.",
  ],
  options: [
    CATALOG,
    { ...FROM, text: "a data directory to mount, instead of a backup of a catalog" },
    INSTANCE,
    { ...BACKUP, text: "the backup, or latest, the default: the newest that can be restored" },
    required({ ...DIFF, text: "the diff: where changes go; made if absent" }),
    {
      ...MOUNT_POINT,
      text: "where to mount: an empty directory, made if missing; default: as last time",
    },
    {
      long: "--wal",
      value: { name: "PLACE", kind: "text", choices: ["outside", "inside"] },
      text: "pg_wal in the diff, or in the mount, for containers; default: outside",
    },
    ...PROBACKUP_OPTIONS,
    ...LOGGING,
    { long: "--foreground", text: "serve the mount from this process, until it is unmounted" },
    { ...WAIT, text: "for the mount to answer, and for others to let go of it; default: 60" },
    { long: "--no-restart", text: "do not mount again if the process behind the mount dies" },
    { long: "--no-store-lock", text: "watch the backups instead of locking them" },
    { long: "--salvage", text: "serve, read-only, what is left of a damaged diff" },
    { ...FORCE, text: "take a diff that another machine may still have mounted" },
    { ...JSON_OUTPUT, text: "print what was mounted as JSON, for programs; not in the foreground" },
  ],
  examples: [
    "pbkfs mount -B /backup -I main -i latest -d /var/tmp/diff -D /mnt/clone",
    "sudo -u postgres pg_ctl -D /mnt/clone -o '-p 5433' start",
    "pbkfs mount -d /var/tmp/diff",
    "pbkfs mount --from /var/backups/base -d /var/tmp/diff -D /mnt/clone",
  ],
  codes: [
    ...["CatalogMissing", "InstanceMissing", "BackupMissing", "MountDirMissing"] as const,
    ...["CatalogUnreadable", "BackupNotRestorable", "ChainBroken", "VersionUnsupported"] as const,
    ...["CodecUnsupported", "StoreDamaged", "WalMissing"] as const,
    ...["DiffForeign", "DiffMisplaced", "DiffVersion", "DiffDamaged", "DiffMissing"] as const,
    ...["DiffInUse", "MountDirBusy", "MountDirNotEmpty", "StoreLocked"] as const,
    ...["FuseDeviceMissing", "LibraryMissing", "MountFailed", "PermissionDenied"] as const,
    ...["ProbackupFailed", "LimitTooLow", "DiskFull"] as const,
  ],
  async run(given) {
    const flags = given as MountFlags;
    const options = toOptions(flags);
    if (flags.foreground === true) {
      return await mountHere(options, ({ mountPath, notes }) => {
        say(`mounted on ${mountPath}; interrupt to unmount`);
        for (const note of notes) say(note);
      });
    }
    const mounted = await mountWithProgress(options);
    const { backup, mountPath, diffPath, notes } = mounted;
    const advice = serverAdvice({ mountPath, diffPath });
    if (flags.json === true) return printJson(mountDocument(mounted, advice));
    say(`mounted ${backup.title} on ${mountPath}`);
    say(options.salvage === true ? `from ${diffPath}` : `changes go to ${diffPath}`);
    for (const note of notes) say(note);
    if (advice !== undefined) adviceLines(advice).forEach(say);
  },
};

async function mountWithProgress(options: MountOptions) {
  using progress = showProgress("mounting");
  return await mount({ ...options, onProgress: progress.say });
}

function toOptions(flags: MountFlags): MountOptions {
  return {
    diffPath: flags.diffDir,
    storeLock: flags.storeLock,
    restart: flags.restart,
    onProgress: say,
    ...(flags.pbkStore !== undefined && { catalogPath: flags.pbkStore }),
    ...(flags.from !== undefined && { fromPath: flags.from }),
    ...(flags.backupId !== undefined && { backupId: flags.backupId }),
    ...(flags.mntPath !== undefined && { mountPath: flags.mntPath }),
    ...(flags.wait !== undefined && { waitMs: flags.wait * 1000 }),
    ...(flags.force !== undefined && { force: flags.force }),
    ...(flags.salvage === true && { salvage: true }),
    ...loggingOf(flags),
    ...(flags.instance !== undefined && { instance: flags.instance }),
    ...(flags.wal !== undefined && { wal: flags.wal }),
    ...probackupOf(flags),
  };
}
