/**
 * Extensions whose background workers reach out of a clone by themselves, as soon as a server
 * starts. They run only where `shared_preload_libraries` names them.
 *
 * Not here, since they stay in the database: pg_partman_bgw, pg_squeeze, powa, autoprewarm and
 * the like. Functions that reach out when somebody calls them, such as those of dblink, are the
 * caller's business.
 *
 * @module
 */

/** An extension that reaches out. */
export interface ReachingOut {
  /** As `shared_preload_libraries` names it. */
  readonly library: string;
  /** What its workers do. */
  readonly does: string;
  /** Settings of ours that stop it. Without any, nothing does but not loading it. */
  readonly stoppedBy: readonly string[];
}

const CONNECTS = "its workers connect to the servers that production replicates with";
const CLUSTER = "it takes this server for a node of production's cluster, and talks to the others";

export const REACHING_OUT: readonly ReachingOut[] = [
  {
    library: "pg_cron",
    does: "it runs production's jobs, maybe in production itself",
    stoppedBy: ["cron.launch_active_jobs", "cron.database_name"],
  },
  {
    library: "pgpro_scheduler",
    does: "it runs production's jobs",
    stoppedBy: ["schedule.enabled"],
  },
  {
    library: "timescaledb",
    does: "it runs production's jobs and reports to its makers",
    stoppedBy: ["timescaledb.max_background_workers", "timescaledb.telemetry_level"],
  },
  {
    library: "pg_net",
    does: "it sends the HTTP requests that were waiting when the backup was taken",
    stoppedBy: ["pg_net.database_name"],
  },
  {
    library: "bgw_replstatus",
    does: "it tells other hosts that this is the primary",
    stoppedBy: ["bgw_replstatus.bind"],
  },
  {
    library: "pg_failover_slots",
    does: "it connects to the primary",
    stoppedBy: ["pg_failover_slots.primary_dsn"],
  },
  // Its maintenance is stopped; queries and DDL go to the worker nodes all the same.
  {
    library: "citus",
    does: "queries read and change the worker nodes that production uses",
    stoppedBy: [],
  },
  { library: "pglogical", does: CONNECTS, stoppedBy: [] },
  { library: "spock", does: CONNECTS, stoppedBy: [] },
  { library: "bdr", does: CONNECTS, stoppedBy: [] },
  { library: "pgactive", does: CONNECTS, stoppedBy: [] },
  { library: "multimaster", does: CLUSTER, stoppedBy: [] },
  { library: "shardman", does: CLUSTER, stoppedBy: [] },
  { library: "biha", does: CLUSTER, stoppedBy: [] },
  { library: "proxima", does: CLUSTER, stoppedBy: [] },
  { library: "pgautofailover", does: CLUSTER, stoppedBy: [] },
  { library: "pg_task", does: "it runs production's jobs", stoppedBy: [] },
  { library: "vectorize", does: "its worker calls services on the network", stoppedBy: [] },
  { library: "pg_tde", does: "it asks production's key server for keys", stoppedBy: [] },
];

/**
 * The names of libraries in a value of `shared_preload_libraries`, without directory and `.so`.
 *
 * @see load_libraries in PostgreSQL, miscinit.c
 */
export function librariesOf(value: string): string[] {
  const names = value.match(/"(?:[^"]|"")*"|[^,"]+/g) ?? [];
  return names.map((name) =>
    name.trim().replace(/^"(.*)"$/, "$1").replaceAll('""', '"')
      .replace(/^.*\//, "").replace(/\.so$/, "")
  ).filter((name) => name !== "");
}
