/**
 * What a clone's `postgresql.auto.conf` says so that the clone cannot harm the server that the
 * backup was taken from. The backup's own settings are production's: they name its archive, its
 * primary, its files.
 *
 * Not changed, on purpose:
 *
 * - `port` and `unix_socket_directories`. On production's own host the clone finds them taken and
 *   does not start, with PostgreSQL's clear message; a port of our choice would surprise. Give
 *   another one with `-o '-p 5433'`.
 * - `hba_file`, `ident_file`, `ssl_*_file`: they are only read. If they name files that this
 *   host has not, the server says so and does not start.
 * - `shared_preload_libraries`: tables and functions may depend on them. See `clone_hazards.ts`.
 * - `data_directory`, `config_file`: PostgreSQL does not take them from this file. The same page.
 *
 * @module
 */

/** A setting that a clone must have, and the versions that know it. */
interface CloneSetting {
  readonly name: string;
  readonly value: string;
  /** The first major version that has it; from the start if absent. */
  readonly since?: number;
  /** The last major version that has it; still there if absent. */
  readonly until?: number;
}

/**
 * In the order in which they are written. An unknown name keeps a server from starting, so each
 * has its versions. Source: src/backend/utils/misc/guc*.c and the release notes.
 */
const SETTINGS: readonly CloneSetting[] = [
  // The clone would archive its own WAL over production's, under the same names.
  { name: "archive_mode", value: "off" },
  { name: "archive_command", value: "" },
  { name: "archive_library", value: "", since: 15 },

  // Recovery uses what lies in pg_wal. These run programs that know production's archive; before
  // version 12 they stood in recovery.conf, which a backup does not hold.
  { name: "restore_command", value: "", since: 12 },
  { name: "archive_cleanup_command", value: "", since: 12 },
  { name: "recovery_end_command", value: "", since: 12 },

  // An earlier restore of production may have left a target. At most one may be set, and the last
  // line for each counts: who wants a target appends it after these lines.
  { name: "recovery_target", value: "", since: 12 },
  { name: "recovery_target_name", value: "", since: 12 },
  { name: "recovery_target_time", value: "", since: 12 },
  { name: "recovery_target_xid", value: "", since: 12 },
  { name: "recovery_target_lsn", value: "", since: 12 },
  { name: "recovery_min_apply_delay", value: "0", since: 12 },

  // Nothing is fetched from a primary, and no slot of its is used up.
  { name: "primary_conninfo", value: "", since: 12 },
  { name: "primary_slot_name", value: "", since: 12 },
  { name: "sync_replication_slots", value: "off", since: 17 },
  // A promotion removes this file, which is production's.
  { name: "promote_trigger_file", value: "", since: 12, until: 15 },

  // Subscriptions would connect to the publisher and move its slots forward.
  { name: "max_logical_replication_workers", value: "0", since: 10 },

  // Commits would wait for ever for standbys that the clone does not have.
  { name: "synchronous_standby_names", value: "" },
  { name: "synchronized_standby_slots", value: "", since: 17 },

  // Applications of other hosts that know this one as production must not find the clone while
  // production is down. Whoever wants them to gives -o "-c listen_addresses='*'".
  { name: "listen_addresses", value: "localhost" },

  // Files outside the data directory that a server writes or removes. Of the first, an empty
  // value would only make the server complain, so the file is moved into the data directory.
  { name: "external_pid_file", value: "external.pid" },
  { name: "log_directory", value: "log" },
  { name: "stats_temp_directory", value: "pg_stat_tmp", until: 14 },

  // Scheduled jobs reach out by dblink, by foreign tables, by programs. A name with a dot is
  // accepted whether the extension is there or not.
  { name: "cron.launch_active_jobs", value: "off" },
];

/**
 * The lines to append to `postgresql.auto.conf` of a clone, without line ends. The file is the
 * last that PostgreSQL reads, so they win over everything but the command line.
 *
 * @param majorVersion Of the cluster: 15, or 9.6.
 */
export function cloneSettings(majorVersion: number): string[] {
  const known = SETTINGS.filter(({ since = 0, until = Infinity }) =>
    since <= majorVersion && majorVersion <= until
  );
  return [
    "# added by pbkfs: this clone does not archive, replicate or write outside its directory",
    ...known.map(({ name, value }) => `${name} = '${value}'`),
  ];
}
