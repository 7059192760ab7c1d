/**
 * pbkfs as a library: look into a pg_probackup catalog, read files of a backup without restoring
 * it, mount a backup.
 *
 * What a catalog holds, and which of it can be mounted:
 *
 * ```ts
 * import { listBackups } from "@pbkfs/pbkfs";
 *
 * const { instances } = await listBackups({ catalogPath: "catalog" });
 * for (const { name, backups } of instances) {
 *   for (const { info, restorable, problem } of backups) {
 *     console.log(name, info.id, info.mode, restorable ? "can be mounted" : problem?.message);
 *   }
 * }
 * ```
 *
 * A file of the newest backup, as a restore would write it:
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { openBackup, resolveChain } from "@pbkfs/pbkfs";
 *
 * const chain = await resolveChain({ catalogPath: "catalog", instance: "main" });
 * using backup = await openBackup(chain);
 * assert(backup.files().includes("PG_VERSION"));
 * const version = new TextDecoder().decode(backup.readFile("PG_VERSION"));
 * assert.equal(version, "15\n");
 * ```
 *
 * What goes wrong is a {@link PbkfsError}, with a code and what can be done:
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { PbkfsError, resolveChain } from "@pbkfs/pbkfs";
 *
 * try {
 *   await resolveChain({ catalogPath: "catalog", backupId: "ABCDEF" });
 * } catch (error) {
 *   assert(error instanceof PbkfsError);
 *   console.log(error.code, error.message, error.todo);
 *   assert.equal(error.code, "BackupMissing");
 * }
 * ```
 *
 * A mount, which another process serves until it is unmounted. This needs FUSE:
 *
 * ```ts ignore
 * import { mount, mountStatus, pauseTasks, unmount } from "@pbkfs/pbkfs";
 *
 * await mount({ catalogPath: "/backup", diffPath: "/clones/one.diff", mountPath: "/clones/one" });
 * const { counters, tasks } = await mountStatus("/clones/one");
 * console.log(`${counters.storeBytesRead} bytes were read from the backups`);
 * for (const { name, state, error } of tasks?.list ?? []) {
 *   console.log(`in the background: ${name}, ${error ?? state}`);
 * }
 * await pauseTasks({ mountPath: "/clones/one" }); // until resumeTasks: only requests are served
 * await unmount({ mountPath: "/clones/one" });
 * ```
 *
 * @module
 */

import { type ChainSpec, checkArguments, loadCodecs, openChain, readFile } from "./backup/mod.ts";
import { PbkfsError } from "./errors.ts";
import { byteStringOf, printable } from "./ffi/bytes.ts";

export {
  type BackupIdentity,
  type BackupInfo,
  type BackupRef,
  type CatalogListing,
  type CatalogOptions,
  type ChainOptions,
  type ChainSpec,
  type InstanceSettings,
  listBackups,
  type ListedBackup,
  type ListedInstance,
  type ProbackupOptions,
  resolveChain,
} from "./backup/mod.ts";
export type { WalPlace } from "./binding/mod.ts";
export {
  type BackgroundTasks,
  type DiffSize,
  LOG_FORMATS,
  type LogOptions,
  type LogTarget,
  type MetricsAddress,
  type MountStatus,
  type Restarts,
  type SpaceStatus,
  type TaskStatus,
} from "./observe/mod.ts";
export {
  mount,
  type MountOptions,
  type MountPlace,
  mountStatus,
  pauseTasks,
  resumeTasks,
  unmount,
  type Unmounted,
  type UnmountOptions,
} from "./operate/mod.ts";
export type { MountRequest, MountUser, PbkfsMount, StartedMount } from "./daemon/mod.ts";
export {
  type Code,
  type CodeRow,
  CODES,
  type ErrorData,
  type ErrorOptions,
  PbkfsError,
} from "./errors.ts";
export type { ByteString } from "./ffi/bytes.ts";
export { type LatencySummary, REQUEST_KINDS, type RequestKind } from "./fuse/mod.ts";
export { COUNTER_NAMES, type CounterName, type SpaceState, type Strays } from "./overlay/mod.ts";

/** A backup of which files can be read, as a restore would write them. */
export interface OpenedBackup extends Disposable {
  /** Paths of all files, relative to the data directory. Names that are not UTF-8 are left out. */
  files(): string[];
  /** All bytes of a file. @throws {PbkfsError} if there is none, or the store is damaged. */
  readFile(path: string): Uint8Array;
}

/** Opens a chain for reading. Nothing is mounted, and nothing written. */
export async function openBackup(chain: ChainSpec): Promise<OpenedBackup> {
  checkArguments("openBackup", chain, { catalogPath: "string", instance: "string" });
  if (!Array.isArray(chain.members) || chain.members.length === 0) {
    throw new PbkfsError("Usage", {
      what: "openBackup: the chain has no members",
      todo: "Give what resolveChain returns.",
    });
  }
  const base = await openChain(chain, {
    codecs: await loadCodecs(),
    layout: { mountPath: byteStringOf("."), restoredAt: Date.now(), settings: [] },
  });
  return {
    files: () =>
      base.entries
        .filter(({ path, kind }) => kind === "file" && byteStringOf(printable(path)) === path)
        .map(({ path }) => printable(path)),
    readFile: (path) => {
      checkArguments("readFile", { path }, { path: "string" });
      return readFile(base, byteStringOf(path));
    },
    [Symbol.dispose]: () => base.close(),
  };
}
