/**
 * pbkfs as a library: look into a pg_probackup catalog, read files of a backup without restoring
 * it, mount a backup.
 *
 * ```ts ignore
 * import { openBackup, resolveChain } from "./mod.ts";
 *
 * const chain = await resolveChain({ catalogPath: "/backup", instance: "main" });
 * using backup = await openBackup(chain);
 * const version = backup.readFile("PG_VERSION");
 * ```
 *
 * @module
 */

import { type ChainSpec, loadCodecs, openChain, readFile } from "./backup/mod.ts";
import { byteStringOf, printable } from "./ffi/bytes.ts";

export {
  type BackupInfo,
  type CatalogListing,
  type ChainSpec,
  listBackups,
  resolveChain,
} from "./backup/mod.ts";
export { mount, type MountOptions, type MountStatus, mountStatus, unmount } from "./daemon/mod.ts";
export { type Code, CODES, PbkfsError } from "./errors.ts";

/** A backup of which files can be read, as a restore would write them. */
export interface OpenedBackup extends Disposable {
  /** Paths of all files, relative to the data directory. Names that are not UTF-8 are left out. */
  files(): string[];
  /** All bytes of a file. @throws {PbkfsError} if there is none, or the store is damaged. */
  readFile(path: string): Uint8Array;
}

/** Opens a chain for reading. Nothing is mounted, and nothing written. */
export async function openBackup(chain: ChainSpec): Promise<OpenedBackup> {
  const base = await openChain(chain, {
    codecs: await loadCodecs(),
    layout: { mountPath: byteStringOf("."), restoredAt: Date.now(), settings: [] },
  });
  return {
    files: () =>
      base.entries
        .filter(({ path, kind }) => kind === "file" && byteStringOf(printable(path)) === path)
        .map(({ path }) => printable(path)),
    readFile: (path) => readFile(base, byteStringOf(path)),
    [Symbol.dispose]: () => base.close(),
  };
}
