/**
 * The settings of a clone that keep it from harming the server that the backup was taken from. The
 * backup's own settings are production's: they name its archive, its primary, its files. See
 * `guard.ts` for where they are written.
 *
 * Not changed, on purpose:
 *
 * - `port`. On production's own host the clone finds it taken and does not start, with PostgreSQL's
 *   clear message; a port of our choice would surprise. Give another one with `-o '-p 5433'`.
 * - `ident_file`: a server starts without it.
 * - `event_triggers`: off, it would keep triggers at login from reaching out, but extensions such as
 *   TimescaleDB and PostGIS need theirs. What they do is told: `login_triggers.ts`.
 * - `log_destination`: a clone that logs to syslog does so like production.
 * - `data_directory`: only where the backup has it, see `guard.ts`.
 *
 * What depends on the machine that the clone is on, such as `unix_socket_directories` and
 * `shared_preload_libraries`, is in `machine_settings.ts`.
 *
 * A server of another major version reads the configuration before it looks at the data directory.
 * So that it comes as far as to say which version it needs, settings that not every version knows
 * are only written where the backup sets them.
 *
 * @module
 */

import { quoteConfigValue } from "./config_text.ts";

/** A setting that a clone must have. */
export interface CloneSetting {
  readonly name: string;
  readonly value: string;
}

/** The same, and the versions that know it. */
interface VersionedSetting extends CloneSetting {
  /** The first major version that has it; from the start if absent. */
  readonly since?: number;
  /** The last major version that has it; still there if absent. */
  readonly until?: number;
}

/** Names no database: a background worker that is to connect to it ends, and says why in the log. */
const NO_DATABASE = "pbkfs: not in a clone";

/**
 * In the order in which they are written. An unknown name keeps a server from starting, so each
 * has its versions. Source: src/backend/utils/misc/guc*.c and the release notes.
 */
const SETTINGS: readonly VersionedSetting[] = [
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
  // The name may have slashes, and lead out again.
  { name: "log_filename", value: "postgresql-%Y-%m-%d_%H%M%S.log" },
  { name: "stats_temp_directory", value: "pg_stat_tmp", until: 14 },

  // Without their files a server does not start: keys and certificates are production's, and those
  // of another machine are seldom here. A clone listens on localhost only.
  { name: "ssl", value: "off" },
  // Nor does it start with a group that this machine does not have, or without huge pages of its own.
  { name: "unix_socket_group", value: "" },
  { name: "huge_pages", value: "try" },
  // A kernel, or a container, may forbid io_uring.
  { name: "io_method", value: "worker", since: 18 },

  // Background workers of extensions, see `reaching_out.ts`. A name with a dot is accepted whether
  // the extension is there or not; a value that an extension does not take is one more warning.
  //
  // Jobs of pg_cron may connect to localhost and the port that they were made on: on production's
  // host that is production. Versions before 1.6 do not know the first, and cron.max_running_jobs
  // = 0 does not stop them.
  { name: "cron.launch_active_jobs", value: "off" },
  { name: "cron.database_name", value: NO_DATABASE },
  { name: "schedule.enabled", value: "off" },
  { name: "timescaledb.max_background_workers", value: "0" },
  { name: "timescaledb.telemetry_level", value: "off" },
  // Requests that were waiting when the backup was taken would be sent once more.
  { name: "pg_net.database_name", value: NO_DATABASE },
  // The maintenance daemon would roll back production's prepared transactions on its workers, and
  // drop shards there.
  { name: "citus.recover_2pc_interval", value: "-1" },
  { name: "citus.distributed_deadlock_detection_factor", value: "-1" },
  { name: "citus.defer_shard_delete_interval", value: "-1" },
  { name: "citus.background_task_queue_interval", value: "-1" },
  // Tells whoever asks on that port that this is the primary.
  { name: "bgw_replstatus.bind", value: "127.0.0.1" },
  { name: "pg_failover_slots.primary_dsn", value: "" },
];

/** The oldest version whose servers read what we write: those before have reached their end of life. */
const KNOWN_SINCE = 12;

/**
 * The settings of a clone.
 *
 * @param majorVersion Of the cluster: 15, or 9.6.
 */
export function cloneParameters(majorVersion: number): CloneSetting[] {
  return settingsOf(majorVersion).map(({ name, value }) => ({ name, value }));
}

/**
 * Those that are to be written.
 *
 * @param isSet Whether the backup sets one, or may do so in a file that is not to be seen. Left out,
 *   it sets none.
 */
export function neededParameters(
  majorVersion: number,
  isSet: (name: string) => boolean = () => false,
): CloneSetting[] {
  return settingsOf(majorVersion)
    .filter((setting) => isKnownToAll(setting) || isSet(setting.name))
    .map(({ name, value }) => ({ name, value }));
}

/** Begins what {@link cloneSettings} appends. */
export const CLONE_MARK =
  "# added by pbkfs: this clone does not archive, replicate or write outside its directory";

/**
 * The lines to append to `postgresql.auto.conf` of a clone, without line ends. The file is the
 * last that PostgreSQL reads, so they win over everything but the command line.
 *
 * @param majorVersion Of the cluster: 15, or 9.6.
 */
export function cloneSettings(majorVersion: number): string[] {
  return [CLONE_MARK, ...neededParameters(majorVersion).map(settingLine)];
}

/** A line of a configuration file. */
export function settingLine({ name, value }: CloneSetting): string {
  return `${name} = ${quoteConfigValue(value)}`;
}

function settingsOf(majorVersion: number): VersionedSetting[] {
  return SETTINGS.filter(({ since = 0, until = Infinity }) =>
    since <= majorVersion && majorVersion <= until
  );
}

function isKnownToAll({ since = 0, until }: VersionedSetting): boolean {
  return since <= KNOWN_SINCE && until === undefined;
}
