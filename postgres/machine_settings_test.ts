import assert from "node:assert/strict";
import { cloneSettings } from "./clone_settings.ts";
import { type Configuration, readConfiguration } from "./configuration.ts";
import { guardText, missingSettings } from "./guard.ts";
import {
  type FitOptions,
  type Machine,
  machineNotes,
  machineSettings,
  valuesOf,
} from "./machine_settings.ts";
import { thisMachine } from "./machine.ts";
import { serverObstacle } from "../tests/support/skip.ts";
import { TempDir } from "../tests/support/temp_dir.ts";
import { isRoot, ordinaryUser } from "../tests/support/users.ts";

const HERE = "/mnt/clone";

function machineWith(there: readonly string[]): Machine {
  const has = (name: string) => there.includes(name);
  return { canWriteTo: has, hasFile: has, hasLibrary: has, hasLocale: has };
}

function configurationOf(main: string, auto = ""): Configuration {
  const texts: Record<string, string> = { "postgresql.conf": main, "postgresql.auto.conf": auto };
  const read = (path: string) => texts[path] === undefined ? "none" : { text: texts[path] };
  return readConfiguration({ read, list: () => undefined }, { dataDirectory: HERE });
}

function fit(there: readonly string[] = [], more: Partial<FitOptions> = {}): FitOptions {
  const machine = machineWith(there);
  return { machine, majorVersion: 15, dataDirectory: HERE, hasHba: true, ...more };
}

function settingsOf(main: string, options: FitOptions): Record<string, string> {
  const all = machineSettings(valuesOf(configurationOf(main)), options);
  return Object.fromEntries(all.map(({ name, value }) => [name, value]));
}

Deno.test("sockets are where they can be made, and always in the data directory [FR-920]", () => {
  const name = "unix_socket_directories";
  const usual = "/var/run/postgresql";
  const socketsOf = (main: string, there: string[]) => settingsOf(main, fit(there))[name];
  assert.equal(socketsOf("", []), ".");
  assert.equal(socketsOf("", [usual]), `${usual}, .`);
  assert.equal(socketsOf(`${name} = '/gone, "/has, comma"'`, ["/has, comma"]), `"/has, comma", .`);
  assert.equal(socketsOf(`${name} = '/gone'`, [usual]), `${usual}, .`);
  assert.equal(socketsOf(`${name} = '/here, .'`, ["/here", usual]), "/here, .");
});

Deno.test("libraries and locales that are not here are left out, and that is told [FR-920]", () => {
  const main =
    "shared_preload_libraries = 'a, \"$libdir/b\",c.so'\nlocal_preload_libraries = 'p'\n" +
    "lc_time = 'de_DE'\nlc_numeric = 'C'\nlc_messages = ''\n";
  const options = fit(["a", "c.so", "$libdir/plugins/p"]);
  assert.deepEqual(settingsOf(main, options), {
    unix_socket_directories: ".",
    shared_preload_libraries: "a, c.so",
    lc_time: "C",
  });
  const notes = machineNotes(configurationOf(main), options);
  assert.equal(notes.length, 2);
  assert.match(notes[0]!, /preloads \$libdir\/b, which PostgreSQL 15 does not have here/);
  assert.match(notes[1]!, /"de_DE" is not on this machine: .* lc_time/);
  const unknown = { ...options.machine, hasLibrary: () => undefined, hasLocale: () => undefined };
  assert.deepEqual(settingsOf(main, { ...options, machine: unknown }), {
    unix_socket_directories: ".",
  });
});

Deno.test("pg_hba.conf is the clone's own where production's is not here [FR-920]", () => {
  const main = "hba_file = '/etc/pg/pg_hba.conf'";
  assert.equal(settingsOf(main, fit()).hba_file, `${HERE}/pg_hba.conf`);
  assert.equal(settingsOf(main, fit(["/etc/pg/pg_hba.conf"])).hba_file, undefined);
  assert.equal(settingsOf(`hba_file = '${HERE}/pg_hba.conf'`, fit()).hba_file, undefined);
  const without = fit([], { hasHba: false });
  assert.equal(settingsOf(main, without).hba_file, undefined);
  assert.match(machineNotes(configurationOf(main), without).join(), /No server starts.*hba/);
});

Deno.test("the machine is asked as the server's user [FR-920]", async () => {
  const user = ordinaryUser();
  await using dir = TempDir.make(user);
  const machine = thisMachine({ majorVersion: 15, user });
  assert(machine.canWriteTo(dir.path));
  assert(!machine.canWriteTo("/proc"));
  assert(!machine.canWriteTo(`${dir.path}/nothing`));
  assert(machine.hasFile("/etc/passwd") && !machine.hasFile(`${dir.path}/nothing`));
  assert.notEqual(machine.hasLocale("xx_XX.UTF-8"), true);
  if (isRoot()) {
    Deno.chmodSync(dir.path, 0o500);
    assert(machine.canWriteTo(dir.path), "what was told stays");
    assert(!thisMachine({ majorVersion: 15, user }).canWriteTo(dir.path), "not as root");
  }
  if (serverObstacle(15) !== undefined) return;
  assert.equal(machine.hasLibrary("pgoutput", "$libdir"), true);
  assert.equal(machine.hasLibrary("pgoutput.so", `${dir.path}:$libdir`), true);
  assert.equal(machine.hasLibrary("$libdir/pgoutput", ""), true);
  assert.equal(machine.hasLibrary("pgoutput", dir.path), false);
  assert.equal(machine.hasLibrary("pbkfs_no_such", "$libdir"), false);
});

Deno.test("what no setting makes good is told before the first start [FR-920]", () => {
  const main = "include '/etc/pg/x.conf'\ninclude_if_exists '/etc/pg/y.conf'\nnot a line\n" +
    "include 'nothing.conf'\ninclude '../z.conf'";
  const notes = machineNotes(configurationOf(main), fit(["/mnt/clone/../z.conf"]));
  assert.deepEqual(notes.map((note) => /postgresql\.conf:\d/.exec(note)?.[0]), [
    "postgresql.conf:1",
    "postgresql.conf:3",
    "postgresql.conf:4",
  ]);
});

Deno.test("settings that not every version knows are written only where the backup sets them [FR-922]", () => {
  const rare = {
    14: ["promote_trigger_file", "stats_temp_directory"],
    15: ["promote_trigger_file", "archive_library"],
    17: ["archive_library", "sync_replication_slots", "synchronized_standby_slots"],
    18: ["io_method", "sync_replication_slots"],
  };
  for (const [version, names] of Object.entries(rare)) {
    const majorVersion = Number(version);
    const ours = (backup: Configuration) => guardText(majorVersion, backup, HERE);
    const quiet = ours(configurationOf("")) + cloneSettings(majorVersion).join("\n");
    for (const name of names) {
      assert(!quiet.includes(name), `${version} ${name}`);
      assert.match(ours(configurationOf(`${name} = 'x'`)), new RegExp(`^${name} = `, "m"));
      assert.match(ours(configurationOf("include '/etc/x'")), new RegExp(`^${name} = `, "m"));
    }
  }
});

Deno.test("what production has set by ALTER SYSTEM does not win over ours [FR-922]", () => {
  const options = { majorVersion: 14, isMainElsewhere: false, fitted: [] };
  const production = "stats_temp_directory = '/run/prod'\narchive_mode = 'on'\n";
  const first = `${production}${cloneSettings(14).join("\n")}\n`;
  const added = missingSettings(first, options);
  assert.equal(added, "stats_temp_directory = 'pg_stat_tmp'\n");
  assert.equal(missingSettings(first + added, options), "", "once");
  // What is set in the clone counts: PostgreSQL writes the file anew, without comments.
  const cloned = "stats_temp_directory = '/mine'\n" +
    cloneSettings(14).filter((line) => !line.startsWith("#")).join("\n");
  assert.equal(missingSettings(cloned, options), "");

  const fitted = [{ name: "unix_socket_directories", value: "." }];
  const auto = "unix_socket_directories = '/gone'\n" + first + added;
  assert.equal(
    missingSettings(auto, { ...options, fitted }),
    "unix_socket_directories = '.'\n",
  );
  assert.equal(missingSettings(first + added, { ...options, fitted }), "");
  assert.equal(
    missingSettings(first + added, { ...options, fitted, isMainElsewhere: true }),
    "promote_trigger_file = ''\nunix_socket_directories = '.'\n",
  );
});
