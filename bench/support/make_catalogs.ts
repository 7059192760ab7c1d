/**
 * Catalogs of a real pgbench database.
 *
 * @module
 */

import type { Codec } from "../../backup/mod.ts";
import { type Identity, PostgresServer, tryFindInstallation } from "../../postgres/mod.ts";
import { LiveCatalogs } from "../../tests/support/catalog_writer/live_catalogs.ts";
import { makeCluster } from "../../tests/support/cluster.ts";
import { giveTo } from "../../tests/support/temp_dir.ts";

/** What to make, and where. */
export interface MakeCatalogsOptions {
  /** Gets a directory for each codec. */
  readonly dirPath: string;
  /** Made, and removed. */
  readonly clusterDir: string;
  readonly sizeMb: number;
  readonly codecs: readonly Codec[];
  readonly user: Identity | undefined;
}

/** A unit of pgbench's scale, table and index. An empty cluster adds a little. */
const MB_A_SCALE = 15;
const EMPTY_CLUSTER_MB = 23;
/** Below that, threads take longer to start than they save. */
const THREADS_FROM_MB = 100;
/** Not synced: nobody needs it later. */
const SETTINGS = {
  fsync: "off",
  autovacuum: "off",
  checkpoint_timeout: "1h",
  max_wal_size: "2GB",
  shared_buffers: "256MB",
  maintenance_work_mem: "256MB",
};

/** The newest version that backups can be taken of here: 15 changed how they begin. */
export function benchVersion(): number {
  const found = [15, 16, 17, 18].find((version) => tryFindInstallation(version) !== undefined);
  if (found === undefined) throw new Error("PostgreSQL 15 to 18 is needed, and none is installed");
  return found;
}

/** Makes a database, and a FULL, a DELTA and a PAGE backup, with some changes between them. */
export async function makeCatalogs(options: MakeCatalogsOptions): Promise<void> {
  const { dirPath, clusterDir, sizeMb, codecs, user } = options;
  const majorVersion = benchVersion();
  const owner = user ?? { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  await makeCluster({ dirPath: clusterDir, majorVersion, owner });
  try {
    await using server = await PostgresServer.start({
      dataDir: clusterDir,
      settings: SETTINGS,
      ...(user !== undefined && { user }),
    });
    const scale = Math.max(1, Math.round((sizeMb - EMPTY_CLUSTER_MB) / MB_A_SCALE));
    await server.run("pgbench", ["-i", "-q", "-s", `${scale}`]);
    const threads = sizeMb < THREADS_FROM_MB ? 0 : navigator.hardwareConcurrency;
    using catalogs = await LiveCatalogs.make({ server, user, dirPath, codecs, threads });
    await catalogs.add("FULL");
    for (const mode of ["DELTA", "PAGE"] as const) {
      const transactions = `${Math.max(200, sizeMb)}`;
      await server.run("pgbench", ["-n", "-t", transactions, "-c", "2", "--random-seed=1"]);
      await catalogs.add(mode);
    }
  } finally {
    await Deno.remove(clusterDir, { recursive: true });
  }
  if (user !== undefined) await giveTo(user, dirPath);
}
