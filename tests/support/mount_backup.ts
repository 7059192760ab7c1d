/**
 * A mounted backup, for the length of a scope.
 *
 * @module
 */

import { type CliOutcome, runCli } from "./cli.ts";
import { detachMounts, isMounted } from "./mounts.ts";
import type { Identity } from "./users.ts";

/** What `pbkfs mount` is told. */
export interface MountOptions {
  readonly catalogDir: string;
  readonly diffDir: string;
  /** A resolved path. */
  readonly mountDir: string;
  readonly instance?: string;
  readonly backupId?: string;
  /** Further options, such as `--wal`, `inside`. */
  readonly extra?: readonly string[];
  /** false: if its process dies, it is not mounted again. */
  readonly restart?: boolean;
  /** Who mounts, if not we. */
  readonly user?: Identity | undefined;
  /** Further variables for the command, and so for the daemon. */
  readonly env?: Readonly<Record<string, string>>;
  /** Calls that fail on purpose, see `runCli`. */
  readonly faults?: string;
  /** `ulimit -n` for them. */
  readonly descriptorsMax?: number;
}

/** A mount that its scope owns: `await using`. */
export interface MountedBackup extends AsyncDisposable {
  readonly mountDir: string;
  /** What `mount` printed. */
  readonly printed: CliOutcome;
  /** Unmounts, and fails if the command does. Returns at once if nothing is mounted. */
  unmount(): Promise<void>;
}

/** The arguments of `pbkfs` that mount as `options` say. */
export function mountArguments(options: MountOptions): string[] {
  const { catalogDir, instance, backupId, diffDir, mountDir, restart, extra = [] } = options;
  return [
    "mount",
    ...["-B", catalogDir],
    ...(instance === undefined ? [] : ["-I", instance]),
    ...(backupId === undefined ? [] : ["-i", backupId]),
    ...["-d", diffDir, "-D", mountDir],
    ...(restart === false ? ["--no-restart"] : []),
    ...extra,
  ];
}

/** Mounts with the command line, and fails with what it printed if it does not. */
export async function mountBackup(options: MountOptions): Promise<MountedBackup> {
  const { mountDir, user, env = {}, faults, descriptorsMax } = options;
  const printed = await runCli(mountArguments(options), { user, env, faults, descriptorsMax });
  if (printed.code !== 0 || !isMounted(mountDir)) {
    detachMounts(mountDir);
    throw new Error(`mount ended with status ${printed.code}: ${printed.stderr}`);
  }
  const unmount = async () => {
    if (!isMounted(mountDir)) return;
    const { code, stderr } = await runCli(["unmount", "-D", mountDir], { user });
    if (code !== 0) throw new Error(`unmount ended with status ${code}: ${stderr}`);
    if (isMounted(mountDir)) throw new Error(`unmount succeeded, but ${mountDir} is mounted`);
  };
  const dispose = async () => {
    try {
      await unmount();
    } finally {
      detachMounts(mountDir); // A test that failed must not take the next ones with it.
    }
  };
  return { mountDir, printed, unmount, [Symbol.asyncDispose]: dispose };
}
