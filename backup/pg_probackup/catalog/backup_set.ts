/**
 * The backups of an instance, and the chains they form.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { chainBroken, checkFormat, checkOrder, checkStatus } from "./chain_check.ts";
import type { BackupInfo } from "./chain_spec.ts";
import type { FoundBackup } from "./control_catalog.ts";

/** No chain is longer: a restore reads all of it, so people merge long before. */
const CHAIN_MAX = 1000;

/** The backups of one instance by their id. */
export class BackupSet {
  readonly #byId = new Map<string, FoundBackup>();
  /** Those that have been looked at, with nothing wrong: each is part of many chains. */
  readonly #sound = new Set<FoundBackup>();

  /**
   * @throws {PbkfsError} `CatalogUnreadable` if two directories hold the same backup. One of them
   * may be a leftover of a merge (MERGED): then the other one counts.
   */
  constructor(readonly instance: string, readonly backups: readonly FoundBackup[]) {
    for (const backup of backups) {
      const { id, status, dirPath } = backup.info;
      const other = this.#byId.get(id);
      if (other !== undefined && status !== "MERGED" && other.info.status !== "MERGED") {
        throw new PbkfsError("CatalogUnreadable", {
          what: `Backup ${id} exists twice: "${other.info.dirPath}" and "${dirPath}"`,
          todo: "Move the copy out of the catalog.",
        });
      }
      if (other === undefined || status !== "MERGED") this.#byId.set(id, backup);
    }
  }

  /** @throws {PbkfsError} `BackupMissing`. */
  get(id: string): FoundBackup {
    const found = this.#byId.get(id);
    if (found !== undefined) return found;
    throw new PbkfsError("BackupMissing", {
      what: `Instance "${this.instance}" has no backup ${id}`,
      todo: `It has: ${[...this.#byId.keys()].join(", ") || "none"}.`,
    });
  }

  /**
   * The chain of a backup, checked.
   *
   * @returns From FULL to dest.
   * @throws {PbkfsError} `BackupMissing`, `ChainBroken`, `BackupNotRestorable`,
   * `CatalogUnreadable`, `VersionUnsupported` or `CodecUnsupported`.
   */
  chain(destId: string): BackupInfo[] {
    const dest = this.get(destId);
    const chain: FoundBackup[] = [dest];
    const seen = new Set([dest.info.id]);
    for (let last = dest; last.info.parentId !== undefined && last.info.mode !== "FULL";) {
      const parentId: string = last.info.parentId;
      const parent = this.#byId.get(parentId);
      if (parent === undefined) throw chainBroken(last.info, `its parent ${parentId} is missing`);
      if (seen.has(parentId)) {
        throw chainBroken(last.info, `its parent ${parentId} descends from it`);
      }
      if (chain.length === CHAIN_MAX) {
        throw chainBroken(dest.info, `it has more than ${CHAIN_MAX} backups`);
      }
      seen.add(parentId);
      chain.push(parent);
      last = parent;
    }
    // Those nearest to dest first: their fault is what the operator asked about.
    for (const backup of chain) {
      if (this.#sound.has(backup)) continue;
      checkStatus(backup.info, backup.unreadable, dest.info);
      checkFormat(backup.info);
      this.#sound.add(backup);
    }
    const members = chain.map((backup) => backup.info).reverse();
    checkOrder(members);
    return members;
  }

  /**
   * The newest backup that can be served.
   *
   * @throws {PbkfsError} `BackupMissing` if there is no backup, `BackupNotRestorable` if none of
   * them can be served.
   */
  latest(): BackupInfo[] {
    let newestFault: PbkfsError | undefined;
    for (const { info } of this.backups.toReversed()) {
      try {
        return this.chain(info.id);
      } catch (error) {
        if (!(error instanceof PbkfsError)) throw error;
        newestFault ??= error;
      }
    }
    if (newestFault === undefined) {
      throw new PbkfsError("BackupMissing", {
        what: `Instance "${this.instance}" has no backups`,
        todo: "Make one with pg_probackup backup.",
      });
    }
    throw new PbkfsError("BackupNotRestorable", {
      what: `None of the ${this.backups.length} backups of instance "${this.instance}" ` +
        `can be served. The newest: ${newestFault.message}`,
      todo: newestFault.todo,
      cause: newestFault,
    });
  }
}
