import assert from "node:assert/strict";
import { cloneParameters, cloneSettings, settingLine } from "./clone_settings.ts";
import { parseConfig } from "./config_text.ts";
import { PostgresServer } from "./server.ts";
import { makeCluster } from "../tests/support/cluster.ts";
import { serverObstacle, testUnless } from "../tests/support/skip.ts";
import { TempDir } from "../tests/support/temp_dir.ts";
import { ordinaryUser } from "../tests/support/users.ts";

function settingsOf(majorVersion: number): Map<string, string> {
  return parseConfig(cloneParameters(majorVersion).map(settingLine).join("\n"));
}

Deno.test("a clone does not archive, fetch, subscribe, wait for standbys or listen abroad [FR-210]", () => {
  const settings = settingsOf(15);
  const expected = {
    archive_mode: "off",
    archive_command: "",
    archive_library: "",
    restore_command: "",
    archive_cleanup_command: "",
    recovery_end_command: "",
    primary_conninfo: "",
    primary_slot_name: "",
    max_logical_replication_workers: "0",
    synchronous_standby_names: "",
    listen_addresses: "localhost",
    external_pid_file: "external.pid",
    log_directory: "log",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(settings.get(name), value);
});

Deno.test("each version gets the settings that it knows, and no other [FR-210]", () => {
  const knows = (version: number) => [...settingsOf(version).keys()];
  assert(!knows(11).includes("restore_command"), "in recovery.conf until 11");
  assert(knows(12).includes("restore_command"));
  assert(!knows(9.6).includes("max_logical_replication_workers"));
  assert(knows(14).includes("stats_temp_directory") && !knows(15).includes("stats_temp_directory"));
  assert(!knows(14).includes("archive_library") && knows(15).includes("archive_library"));
  assert(!knows(16).includes("promote_trigger_file"));
  assert(!knows(16).includes("sync_replication_slots"));
  assert(knows(17).includes("sync_replication_slots"));
});

Deno.test("a port is not chosen for the operator [FR-210]", () => {
  assert(!settingsOf(15).has("port"));
});

/** What a production server's own configuration may say. */
const PRODUCTION = `
archive_mode = on
archive_command = 'touch ESCAPED'
restore_command = 'touch ESCAPED'
recovery_target_name = 'left over'
primary_conninfo = 'host=production'
synchronous_standby_names = 'standby1'
listen_addresses = '*'
external_pid_file = 'PIDFILE'
log_directory = '/var/log/postgresql'
max_logical_replication_workers = 4
`;

for (const majorVersion of [14, 15, 16, 17, 18]) {
  testUnless(
    serverObstacle(majorVersion),
    `PostgreSQL ${majorVersion} accepts the clone's settings, and they win over production's [FR-211]`,
    async () => {
      const user = ordinaryUser();
      await using dir = TempDir.make(user);
      const dataDir = `${dir.path}/data`;
      const pidFile = `${dir.path}/production.pid`;
      await makeCluster({ dirPath: dataDir, majorVersion, owner: user });
      const production = PRODUCTION.replaceAll("ESCAPED", `${dir.path}/escaped`)
        .replace("PIDFILE", pidFile);
      Deno.writeTextFileSync(`${dataDir}/postgresql.conf`, production, { append: true });
      const own = [
        ...cloneSettings(majorVersion),
        ...cloneParameters(majorVersion).map(settingLine),
      ];
      Deno.writeTextFileSync(`${dataDir}/postgresql.auto.conf`, own.join("\n"), { append: true });

      await using server = await PostgresServer.start({ dataDir, user });
      for (const [name, value] of settingsOf(majorVersion)) {
        if (name === "listen_addresses") continue; // The server of a test gives its own.
        const shown = await server.query(`select setting from pg_settings where name = '${name}'`);
        // PostgreSQL shows this text for the command while archiving is off.
        const expected = name === "archive_command" ? "(disabled)" : value;
        if (!name.includes(".")) assert.equal(shown, expected, name);
      }
      assert(!server.logTail().includes("external PID"), server.logTail());
      await server.query(["create table written as select 1", "select pg_switch_wal()"]);
      await server.stop();
      const names = [...Deno.readDirSync(dir.path)].map((entry) => entry.name);
      assert.deepEqual(names, ["data"], "nothing was written beside the data directory");
    },
  );
}
