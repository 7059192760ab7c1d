/**
 * The JSON document that `pbkfs mount --json` prints. `schemas/mount.json` describes it.
 *
 * @module
 */

import { backupIdOf, forUs, type mount, type ServerAdvice } from "../operate/mod.ts";

/** The document. */
export interface MountDocument {
  readonly document: "pbkfs.mount";
  readonly version: 1;
  readonly mountPath: string;
  readonly diffPath: string;
  /** `pg_probackup`, or `directory` for a data directory. */
  readonly kind: string;
  /** For a data directory, the directory itself. */
  readonly catalogPath: string;
  readonly instance: string;
  readonly backupId: string;
  /** From the FULL backup to this one. */
  readonly chain: readonly { readonly id: string; readonly mode: string }[];
  /** The process that serves the mount. */
  readonly pid: number;
  readonly server: {
    /** PostgreSQL's major version. */
    readonly version: string;
    /** Who has to start it. */
    readonly user: { readonly uid: number; readonly gid: number; readonly name: string | null };
    readonly port: number | null;
    /** For a shell of whoever mounts; null if this version is not installed here. */
    readonly commands: Readonly<Record<"start" | "stop" | "connect", string>> | null;
  } | null;
  readonly notes: readonly string[];
}

/** A mount as a document. */
export function mountDocument(
  { backup, mountPath, diffPath, pid, notes }: Awaited<ReturnType<typeof mount>>,
  advice: ServerAdvice | undefined,
): MountDocument {
  const { kind, identity: { catalogPath, instance, members }, modes } = backup;
  return {
    ...{ document: "pbkfs.mount", version: 1, mountPath, diffPath, kind, catalogPath, instance },
    backupId: backupIdOf(backup),
    chain: members.map(({ id }, at) => ({ id, mode: modes[at]! })),
    pid,
    server: advice === undefined ? null : serverOf(advice),
    notes,
  };
}

function serverOf({ version, user, port, commands }: ServerAdvice): MountDocument["server"] {
  return {
    version,
    user: { uid: user.uid, gid: user.gid, name: user.name ?? null },
    port: port ?? null,
    commands: commands === undefined ? null : {
      start: forUs(commands.start),
      stop: forUs(commands.stop),
      connect: forUs(commands.connect),
    },
  };
}
