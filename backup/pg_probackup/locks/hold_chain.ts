/**
 * Keeps a chain as it is: with pg_probackup's own locks or, where these cannot be written, by
 * watching the control files. README.md of this folder has the rules.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../../errors.ts";
import type { Hold, HoldOptions } from "../../tree/source.ts";
import { watch } from "../../tree/watch.ts";
import { changeOfChain } from "../catalog/chain_change.ts";
import { type ChainSpec, destOf } from "../catalog/chain_spec.ts";
import { ownerOf } from "../catalog/open_instance.ts";
import { StoreLock } from "./store_lock.ts";

/** Of a catalog that we may not write to. pg_probackup goes on without locks then, too. */
const NOT_WRITABLE: readonly number[] = [
  ...[ERRNO.EROFS, ERRNO.EACCES, ERRNO.EPERM, ERRNO.ENOSPC, ERRNO.EDQUOT],
];

/**
 * Locks all backups of a chain, or watches them.
 *
 * @throws {PbkfsError} `StoreLocked`; `CatalogUnreadable` if what lies there cannot be lock files.
 */
export async function holdChain(spec: ChainSpec, options: HoldOptions): Promise<Hold> {
  const watched = (why: string) =>
    watch(
      () => changeOfChain(spec),
      options,
      `the backups are not locked, only watched (${why}): if pg_probackup deletes or merges ` +
        "one of them, reads will fail",
    );
  if (!options.lock) return watched("--no-store-lock");
  try {
    mustBeSignalable(spec);
    return await locked(spec, options);
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "Io") throw error;
    return watched(error.message);
  }
}

async function locked(spec: ChainSpec, options: HoldOptions): Promise<Hold> {
  try {
    const lock = await StoreLock.take({ ...options, members: spec.members, pid: Deno.pid });
    return {
      notes: [
        `the backups are locked: pg_probackup delete and merge of ${destOf(spec).id} and its ` +
        "parents wait a minute and then fail, until it is unmounted",
      ],
      release: () => lock.release(),
    };
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "Io" && !NOT_WRITABLE.includes(error.errno)) {
      throw new PbkfsError("CatalogUnreadable", {
        what: `Cannot lock the backups: ${error.message}`,
        todo: "Look at the lock files of pg_probackup there, or mount with --no-store-lock.",
        cause: error,
      });
    }
    throw error;
  }
}

/**
 * pg_probackup asks by a signal whether the process in the list is alive, and gives up, restores
 * included, if it may not. The daemon of root's mount has the real user id of the backup's owner.
 *
 * @throws {PbkfsError} `Io` if it may not signal us.
 */
function mustBeSignalable(spec: ChainSpec): void {
  const { uid } = ownerOf(spec);
  if (uid === Deno.uid() || uid === 0) return;
  throw new PbkfsError("Io", {
    what: `they belong to user ${uid}, whose pg_probackup cannot ask whether our process is alive`,
    errno: ERRNO.EPERM,
  });
}
