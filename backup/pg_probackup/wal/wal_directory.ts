/**
 * The WAL archive of an instance: `wal/<instance>` in the catalog.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import type { Lsn } from "../../tree/lsn.ts";
import { StoreDirectory, StoreRefusal } from "../../tree/store_directory.ts";
import { isDenied, storeDamaged } from "../../tree/store_error.ts";
import { HISTORY_BYTES_MAX, readWal } from "../../tree/wal_copy.ts";
import type { WalFile } from "../../tree/wal_file.ts";
import { parseHistory, type TimelineStretch } from "./wal_history.ts";
import { historyName } from "../../tree/wal_names.ts";

/** The files of an instance's WAL archive. */
export class WalDirectory {
  private constructor(readonly dirPath: string, private readonly names: ReadonlySet<string>) {}

  /** The directory may be a link, see `StoreDirectory`. */
  static open(dirPath: string): WalDirectory {
    try {
      using directory = StoreDirectory.open(dirPath, { mayBeLink: true });
      return new WalDirectory(directory.path, new Set(directory.list().map(({ name }) => name)));
    } catch (error) {
      const denied = isDenied(error);
      const why = error instanceof StoreRefusal ? `it ${error.message}` : (error as Error).message;
      throw new PbkfsError(denied ? "PermissionDenied" : "WalMissing", {
        what: `Cannot read the WAL archive "${dirPath}": ${why}`,
        todo: denied
          ? "Run pbkfs as the user who owns the catalog."
          : "Copy the archived WAL there, or choose a backup made with --stream.",
        cause: error,
      });
    }
  }

  /** The timelines that lead to `timeline`, which comes first. */
  async timelines(timeline: number): Promise<TimelineStretch[]> {
    const alone = [{ timeline, begin: 0n as Lsn }];
    const history = this.history(timeline);
    if (history === undefined) return alone;
    const bytes = await readWal(history, HISTORY_BYTES_MAX);
    const stretches = parseHistory(new TextDecoder().decode(bytes), timeline);
    if (stretches !== undefined) return stretches;
    throw storeDamaged(`"${history.sourcePath}" is no history of timeline ${timeline}`);
  }

  /** The first timeline has no history, and that of others may be lost without harm. */
  history(timeline: number): WalFile | undefined {
    return timeline === 1 ? undefined : this.#whole(historyName(timeline));
  }

  /**
   * Looks for a segment under the names it has on several timelines, the newest first: the server
   * looks in this order, and the newer one begins with a copy of the older.
   *
   * @param takePartial A segment that was being written when its timeline ended is better than
   * none, if it is the last. A packed one is not taken: a restore first reads the WAL to see that
   * it is complete, and does not look at packed parts then.
   * @see SimpleXLogPageRead in pg_probackup, src/parsexlog.c
   */
  find(names: readonly string[], takePartial: boolean): WalFile | undefined {
    for (const name of names) {
      const found = this.#whole(name);
      if (found !== undefined) return found;
    }
    for (const name of takePartial ? names : []) {
      const found = this.#file(name, `${name}.partial`, false);
      if (found !== undefined) return found;
    }
    for (const name of names) {
      if (!takePartial || !this.names.has(`${name}.gz.partial`)) continue;
      throw new PbkfsError("WalMissing", {
        what: `Segment ${name} is only there as "${this.dirPath}/${name}.gz.partial", which a ` +
          "restore does not take either",
        todo: `Archive the whole segment, or unpack this part as "${name}.partial" beside it.`,
      });
    }
    for (const name of names) {
      if (!this.names.has(`${name}.lz4`)) continue;
      throw new PbkfsError("CodecUnsupported", {
        what: `Segment ${name} is only there as "${this.dirPath}/${name}.lz4", a format of its own`,
        todo: "Unpack it with the program that made it, next to where it is.",
      });
    }
    return undefined;
  }

  #whole(name: string): WalFile | undefined {
    return this.#file(name, name, false) ?? this.#file(name, `${name}.gz`, true);
  }

  #file(name: string, stored: string, isGzip: boolean): WalFile | undefined {
    if (!this.names.has(stored)) return undefined;
    return { name, sourcePath: `${this.dirPath}/${stored}`, isGzip };
  }
}
