/**
 * Catalogs of a running server: one for each codec, with the same backups.
 *
 * @module
 */

import type { Codec } from "../../../backup/mod.ts";
import type { Identity, PostgresServer } from "../../../postgres/mod.ts";
import { BackupSession } from "./backup_session.ts";
import { makeInstance } from "./make_instance.ts";
import { StreamPool } from "./stream_pool.ts";
import { type BackupPlan, beginBackup, type WrittenBackup } from "./write_backup.ts";

/** Where from, and where to. */
export interface LiveCatalogsOptions {
  readonly server: PostgresServer;
  /** Who runs the server, if not we. */
  readonly user?: Identity | undefined;
  /** Catalogs are made here, each in a directory with the name of its codec. */
  readonly dirPath: string;
  readonly codecs: readonly Codec[];
  /** 0: none but the caller's. */
  readonly threads: number;
}

interface Target {
  readonly codec: Codec;
  readonly instancePath: string;
  last: WrittenBackup | undefined;
}

/** Nobody should change the database while a backup is written: it is read as it is on disk. */
export class LiveCatalogs implements Disposable {
  readonly #options: LiveCatalogsOptions;
  readonly #pool: StreamPool;
  readonly #targets: readonly Target[];
  readonly #hasChecksums: boolean;

  private constructor(
    options: LiveCatalogsOptions,
    facts: { readonly systemIdentifier: string; readonly walSegmentBytes: number },
    hasChecksums: boolean,
  ) {
    this.#options = options;
    this.#hasChecksums = hasChecksums;
    this.#pool = new StreamPool(options.threads);
    this.#targets = options.codecs.map((codec) => ({
      codec,
      instancePath: makeInstance({ ...facts, catalogPath: `${options.dirPath}/${codec}` }),
      last: undefined,
    }));
  }

  static async make(options: LiveCatalogsOptions): Promise<LiveCatalogs> {
    const sql = "select system_identifier, bytes_per_wal_segment, " +
      "current_setting('data_checksums') from pg_control_system(), pg_control_init()";
    const [systemIdentifier = "", walSegmentBytes, checksums] = (await options.server.query(sql))
      .split("|");
    const facts = { systemIdentifier, walSegmentBytes: Number(walSegmentBytes) };
    return new LiveCatalogs(options, facts, checksums === "on");
  }

  /** Adds a backup to each catalog, whose parent is the one before it. */
  async add(mode: BackupPlan["mode"]): Promise<void> {
    const { server, user } = this.#options;
    const { session, startLsn } = await BackupSession.start(server, user);
    await using _session = session;
    const begun = [];
    for (const target of this.#targets) {
      const plan = this.#planFor(target, mode, startLsn);
      begun.push({ target, backup: await beginBackup(plan, this.#pool) });
    }
    const end = await session.stop(startLsn);
    for (const { target, backup } of begun) target.last = backup.finish(end);
  }

  #planFor({ codec, instancePath, last }: Target, mode: BackupPlan["mode"], startLsn: string) {
    const { server: { dataDir, installation } } = this.#options;
    return {
      instancePath,
      dataPath: dataDir,
      mode,
      parent: mode === "FULL" ? undefined : last,
      codec,
      serverVersion: `${installation.majorVersion}`,
      hasChecksums: this.#hasChecksums,
      timeline: 1,
      startLsn,
      startTime: Math.max(Date.now(), (last?.startTime ?? 0) + 1000),
    } satisfies BackupPlan;
  }

  [Symbol.dispose](): void {
    this.#pool[Symbol.dispose]();
  }
}
