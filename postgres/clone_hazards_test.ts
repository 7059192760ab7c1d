import assert from "node:assert/strict";
import { cloneHazards, type HazardOptions } from "./clone_hazards.ts";
import { cloneSettings } from "./clone_settings.ts";
import { commandLineSettings } from "./command_line.ts";
import { readConfiguration } from "./configuration.ts";
import { guardText, missingInclude } from "./guard.ts";
import { librariesOf, REACHING_OUT } from "./reaching_out.ts";

const DIRECTORY = "/mnt/clone";

/** The hazards of a clone whose backup had this configuration. */
function hazardsOf(
  backupText: string,
  { auto = "", ...options }: Partial<HazardOptions> & { readonly auto?: string } = {},
) {
  const majorVersion = options.majorVersion ?? 15;
  const texts: Record<string, string> = { "postgresql.conf": backupText };
  const files = {
    read: (path: string) => texts[path] === undefined ? "none" as const : { text: texts[path] },
    list: () => undefined,
  };
  const backup = readConfiguration(files, { dataDirectory: DIRECTORY });
  texts["pbkfs.conf"] = guardText(majorVersion, backup, DIRECTORY);
  texts["postgresql.conf"] += missingInclude(backupText);
  texts["postgresql.auto.conf"] = auto;
  const configuration = readConfiguration(files, { dataDirectory: DIRECTORY });
  return cloneHazards(configuration, { majorVersion, dataDirectory: DIRECTORY, ...options });
}

const settingsOf = (...args: Parameters<typeof hazardsOf>) =>
  hazardsOf(...args).map(({ setting }) => setting);

Deno.test("an ordinary configuration has no hazards, nor one that pbkfs's settings defuse [FR-212]", () => {
  for (const majorVersion of [9.5, 9.6, 10, 11, 12, 13, 14, 15, 16, 17, 18]) {
    const production = [
      "#data_directory = 'ConfigDir'",
      "max_connections = 100 # few",
      "data_directory'/var/lib/postgresql/15/main'",
      "archive_mode = on",
      "archive_command = 'cp %p /archive/%f'",
      "listen_addresses = '*'",
      "logging_collector = on",
      "log_filename = '../../x.log'",
      "external_pid_file = '/var/run/x.pid'",
      "shared_preload_libraries = 'pg_stat_statements, pg_cron, timescaledb, pg_net'",
    ];
    assert.deepEqual(hazardsOf(production.join("\n"), { majorVersion }), [], `${majorVersion}`);
  }
});

Deno.test("a preloaded library that talks to other servers is pointed out, others are not [FR-212]", () => {
  assert.deepEqual(hazardsOf("shared_preload_libraries = 'pg_stat_statements'"), []);
  const [hazard] = hazardsOf("shared_preload_libraries = 'pg_stat_statements, $libdir/pglogical'");
  assert.match(hazard?.warning ?? "", /preloads pglogical/);
  assert.equal(hazard?.from, "postgresql.conf:1");
});

Deno.test("each extension that reaches out is told, unless it is stopped [FR-219]", () => {
  for (const { library, stoppedBy } of REACHING_OUT) {
    const text = `shared_preload_libraries = '${library}'`;
    assert.equal(hazardsOf(text).length, stoppedBy.length === 0 ? 1 : 0, library);
    for (const name of stoppedBy) {
      assert(cloneSettings(15).some((line) => line.startsWith(`${name} =`)), name);
      const [hazard] = hazardsOf(text, { auto: `${name} = 'production'` });
      assert.match(hazard?.warning ?? "", new RegExp(`preloads ${library}.*${name}`), name);
    }
  }
});

Deno.test("libraries are found whatever their names look like [FR-219]", () => {
  assert.deepEqual(
    librariesOf(` pg_cron,"$libdir/citus" , /usr/lib/x/pglogical.so,, "odd,name"`),
    ["pg_cron", "citus", "pglogical", "odd,name"],
  );
});

Deno.test("what somebody sets in the clone, and may harm production, is told with its place [FR-220]", () => {
  const dangerous = {
    "archive_mode = on\narchive_command = 'cp %p /archive/%f'": ["archive_command"],
    "archive_mode = always\narchive_library = 'basic_archive'": ["archive_library"],
    "archive_mode = of\narchive_command = 'cp'": [],
    "archive_command = 'cp'": [],
    "restore_command = 'cp'": ["restore_command"],
    "primary_conninfo = 'host=a password=secret'": ["primary_conninfo"],
    "max_logical_replication_workers = 4": ["max_logical_replication_workers"],
    "listen_addresses = 'localhost, 10.0.0.1'": ["listen_addresses"],
    "listen_addresses = '127.0.0.1,::1'": [],
    "external_pid_file = '/run/x.pid'": ["external_pid_file"],
    "external_pid_file = '../x.pid'": ["external_pid_file"],
    "external_pid_file = '/mnt/clone/x.pid'": [],
    "logging_collector = on\nlog_directory = '/var/log'": ["log_directory"],
    "logging_collector = on\nlog_filename = '../../x.log'": ["log_filename"],
    "log_filename = '../../x.log'": [],
  };
  for (const [auto, expected] of Object.entries(dangerous)) {
    assert.deepEqual(settingsOf("", { auto }), expected, auto);
  }
  const [hazard] = hazardsOf("", { auto: "\n\nlisten_addresses = '*'" });
  assert.deepEqual([hazard?.value, hazard?.from], ["*", "postgresql.auto.conf:3"]);
  const [secret] = hazardsOf("", { auto: "primary_conninfo = 'password=secret'" });
  assert(!JSON.stringify(secret).includes("secret"));
});

Deno.test("the command line of a server wins over its files, in both directions [FR-220]", () => {
  const given = (...args: string[]) =>
    commandLineSettings(`postgres ${args.map((arg) => `"${arg}"`).join(" ")}\n`);
  const commandLine = given("-c", "listen_addresses=*");
  assert.deepEqual(hazardsOf("", { commandLine }).map(({ from }) => from), ["command line"]);
  const local = given("-h", "localhost");
  assert.deepEqual(hazardsOf("", { auto: "listen_addresses = '*'", commandLine: local }), []);
  const elsewhere = given("--config-file=/etc/postgresql/15/main/postgresql.conf");
  assert(settingsOf("", { commandLine: elsewhere }).includes("config_file"));
});

Deno.test("a configuration that leads elsewhere is overridden, and else nothing is said [FR-217]", () => {
  const guard = (text: string) => {
    const read = (path: string) => path === "postgresql.conf" ? { text } : "none" as const;
    const backup = readConfiguration({ read, list: () => undefined }, { dataDirectory: DIRECTORY });
    return guardText(15, backup, "/mnt/it's");
  };
  assert(!guard("port = 5432").includes("data_directory"));
  for (const text of ["data_directory'/x'", "include '/etc/postgresql/common.conf'"]) {
    assert(guard(text).includes("data_directory = '/mnt/it''s'\n"), text);
  }
});

Deno.test("a configuration that pbkfs cannot see is told [FR-223]", () => {
  const none = { read: () => "none" as const, list: () => undefined };
  const options = { dataDirectory: DIRECTORY, majorVersion: 15 };
  const [hazard] = cloneHazards(readConfiguration(none, options), options);
  assert.match(hazard?.warning ?? "", /no postgresql\.conf/);
  assert.deepEqual(settingsOf("include '/etc/x.conf'"), ["include"]);
  const text = { read: () => ({ text: "" }), list: () => undefined };
  const [missing] = cloneHazards(readConfiguration(text, options), options);
  assert.match(missing?.warning ?? "", /ALTER SYSTEM RESET ALL/);
});

Deno.test("control characters of a backup do not reach the terminal [FR-220]", () => {
  const [hazard] = hazardsOf("", { auto: "listen_addresses = '\\033[2J\\n*'" });
  // deno-lint-ignore no-control-regex -- they are what is looked for
  assert(!/[\x00-\x1f]/.test(JSON.stringify(hazard) + hazard?.warning));
});
