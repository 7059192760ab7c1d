/** A clone stays harmless, whatever the backup's configuration says and ALTER SYSTEM does. */

import assert from "node:assert/strict";
import { findInstallation } from "../postgres/mod.ts";
import { runCli } from "./support/cli.ts";
import { sampleObstacle, WITH_CONFIGURATION } from "./support/samples.ts";
import { Scene } from "./support/scene.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { commandAs, ordinaryUser } from "./support/users.ts";

const obstacle = sampleObstacle();
const { backupId: BACKUP_ID, fixture, majorVersion } = WITH_CONFIGURATION;
const INCLUDE = "include 'pbkfs.conf'\n";

/** The file in the store: this backup has its files as they are. */
function storedConf(scene: Scene): string {
  return `${scene.catalogDir}/backups/main/${BACKUP_ID}/database/postgresql.conf`;
}

/** A scene whose backup has this in its configuration, in place of the comments that it begins with. */
async function openWith(production: string): Promise<Scene> {
  const scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
  const text = Deno.readTextFileSync(storedConf(scene));
  const end = text.indexOf("\n", production.length);
  assert.match(text.slice(0, end), /^(#.*\n|\n)*#.*$/, "only comments are replaced");
  const padding = "#".repeat(end - production.length); // Its length must stay.
  Deno.writeTextFileSync(storedConf(scene), production + padding + text.slice(end));
  return scene;
}

/** A server started as people do: with -D, and on its command line only how to reach it. */
class PlainServer {
  private constructor(private readonly scene: Scene) {}

  static async start(scene: Scene, options = ""): Promise<PlainServer> {
    const server = new PlainServer(scene);
    const given = `-k ${scene.dirPath} -p 5432 -c listen_addresses='' ${options}`;
    const log = `${scene.dirPath}/server.log`;
    await server.run("pg_ctl", "-w", "-l", log, "-o", given, "start");
    return server;
  }

  ask(sql: string): Promise<string> {
    return this.run("psql", "-XqAt", "-h", this.scene.dirPath, "-U", "postgres", "-c", sql);
  }

  async settings(...names: string[]): Promise<Record<string, string>> {
    const wanted = names.map((name) => `'${name}'`).join();
    const sql = `select json_object_agg(name, setting) from pg_settings where name in (${wanted})`;
    return JSON.parse(await this.ask(sql));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("pg_ctl", "-w", "-m", "fast", "stop");
  }

  private async run(name: string, ...args: string[]): Promise<string> {
    const program = `${findInstallation(majorVersion).binDir}/${name}`;
    const command = [program, ...(name === "pg_ctl" ? ["-D", this.scene.mountDir] : []), ...args];
    const [first = "", ...rest] = commandAs(this.scene.owner, command);
    const job = { args: rest, cwd: "/", env: { LC_ALL: "C" } };
    const { success, stdout, stderr } = await new Deno.Command(first, job).output();
    const text = new TextDecoder();
    assert(success, `${command.join(" ")}: ${text.decode(stderr)}${text.decode(stdout)}`);
    return text.decode(stdout).trimEnd();
  }
}

async function hazardsOf(scene: Scene): Promise<{ setting: string; from: string }[]> {
  const { code, stdout, stderr } = await runCli(["status", "-D", scene.mountDir, "--json"]);
  assert.equal(code, 0, stderr);
  return parseDocument("status", stdout).mounts[0].hazards;
}

testUnless(
  obstacle,
  "after ALTER SYSTEM RESET ALL production's settings do not come back; ALTER SYSTEM SET counts [FR-215]",
  async () => {
    await using scene = await openWith(
      "archive_mode = on\narchive_command = 'touch ESCAPED/%f'\nexternal_pid_file = '/run/prod'\n" +
        "logging_collector = on\nlog_filename = '../../x.log'\n",
    );
    await using _mount = await scene.mount(BACKUP_ID);
    const names = ["archive_mode", "archive_command", "external_pid_file", "log_filename"];
    const harmless = {
      archive_mode: "off",
      archive_command: "(disabled)",
      external_pid_file: "external.pid",
      log_filename: "postgresql-%Y-%m-%d_%H%M%S.log",
    };
    {
      await using server = await PlainServer.start(scene);
      assert.deepEqual(await server.settings(...names), harmless);
      await server.ask("alter system reset all");
    }
    const auto = Deno.readTextFileSync(`${scene.mountDir}/postgresql.auto.conf`);
    assert(!auto.includes("archive_mode"), "it is gone from there");
    {
      await using server = await PlainServer.start(scene);
      assert.deepEqual(await server.settings(...names), harmless);
      assert.deepEqual(await hazardsOf(scene), []);
      await server.ask("alter system set work_mem = '7MB'");
      await server.ask("alter system set archive_mode = 'on'");
    }
    {
      await using server = await PlainServer.start(scene);
      assert.deepEqual(await server.settings("archive_mode", "work_mem"), {
        archive_mode: "on",
        work_mem: "7168",
      });
    }
    const beside = [...Deno.readDirSync(scene.dirPath)].map(({ name }) => name);
    assert(!beside.includes("x.log"), "no log outside of the mount");
    assert.deepEqual([...Deno.readDirSync(`${scene.mountDir}/log`)].length > 0, true);
  },
);

testUnless(
  mountObstacle(),
  "at every mount the include is last again, and what the user wrote stays [FR-216]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    const stored = Deno.readTextFileSync(storedConf(scene));
    const conf = `${scene.mountDir}/postgresql.conf`;
    const guard = `${scene.mountDir}/pbkfs.conf`;
    const auto = `${scene.mountDir}/postgresql.auto.conf`;
    const read = Deno.readTextFileSync;
    let edited: string;
    let first: string;
    {
      await using _mount = await scene.mount(BACKUP_ID);
      assert(read(conf).startsWith(stored) && read(conf).endsWith(INCLUDE));
      first = read(guard);
      for (const path of [conf, guard, auto]) {
        const { uid, mode } = Deno.statSync(path);
        assert.deepEqual([uid, (mode ?? 0) & 0o777], [scene.owner.uid, 0o600], path);
      }
      edited = `${read(conf)}work_mem = '9MB'\n# no line end`;
      Deno.writeTextFileSync(conf, edited);
      Deno.writeTextFileSync(guard, "# mine\n");
      Deno.writeTextFileSync(auto, "archive_mode = 'on'\n");
    }
    {
      await using _mount = await scene.mount(BACKUP_ID);
      assert(read(conf).startsWith(edited) && read(conf).endsWith(INCLUDE), "appended");
      assert.equal(read(guard), first, "and this is pbkfs's");
      edited = read(conf);
      const lines = read(auto).split("\n");
      assert.equal(
        lines.filter((line) => line.startsWith("archive_mode")).join(),
        "archive_mode = 'on'",
      );
      assert(lines.includes("archive_command = ''"), "what is not mentioned comes back");
    }
    {
      await using _mount = await scene.mount(BACKUP_ID);
      assert.equal(read(conf), edited, "nothing is appended twice");
      const { counters } = JSON.parse(
        (await runCli(["status", "-D", scene.mountDir, "--json"])).stdout,
      ).mounts[0];
      assert.equal(counters.writes, 0);
      Deno.removeSync(conf);
      Deno.symlinkSync("/etc/hostname", conf);
    }
    await using mount = await scene.mount(BACKUP_ID);
    assert.equal(Deno.readLinkSync(conf), "/etc/hostname", "a link is left alone");
    assert.match(mount.printed.stderr, /does not look into postgresql\.conf/);
  },
);

testUnless(
  obstacle,
  "a server runs on the mount, even if an included file names another data_directory [FR-217]",
  async () => {
    await using scene = await openWith("include_if_exists 'more.conf'\n");
    {
      await using _mount = await scene.mount(BACKUP_ID);
      Deno.writeTextFileSync(`${scene.mountDir}/more.conf`, "data_directory'/nonexistent'\n");
    }
    await using mount = await scene.mount(BACKUP_ID);
    assert.doesNotMatch(mount.printed.stderr, /data_directory/);
    {
      await using server = await PlainServer.start(scene);
      assert.equal(await server.ask("show data_directory"), scene.mountDir);
    }
    await mount.unmount();
    // Moved, it says the new place.
    const moved = `${scene.dirPath}/moved`;
    Deno.mkdirSync(moved);
    await using _moved = await scene.mount(BACKUP_ID, { mountDir: moved });
    assert(Deno.readTextFileSync(`${moved}/pbkfs.conf`).includes(`data_directory = '${moved}'`));
  },
);

testUnless(
  obstacle,
  "status and the log tell what is dangerous about a server that runs, and where it is set [FR-221]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    await using _mount = await scene.mount(BACKUP_ID);
    Deno.writeTextFileSync(`${scene.mountDir}/mine.conf`, "max_logical_replication_workers = 3\n");
    Deno.writeTextFileSync(
      `${scene.mountDir}/postgresql.conf`,
      "\ninclude 'mine.conf'\ninclude '/dev/null'\n",
      { append: true },
    );
    // Who resets all and removes the include has nothing of ours left.
    Deno.writeTextFileSync(`${scene.mountDir}/postgresql.auto.conf`, "");
    await using _server = await PlainServer.start(
      scene,
      "-c archive_mode=on -c archive_command=/bin/false",
    );
    const found = (await hazardsOf(scene)).map(({ setting, from }) => `${setting} ${from}`);
    const line = Deno.readTextFileSync(`${scene.mountDir}/postgresql.conf`).split("\n").length - 1;
    assert.deepEqual(found, [
      `include postgresql.conf:${line}`,
      "archive_command command line",
      "max_logical_replication_workers mine.conf:1",
    ]);
    const one = await runCli(["status", "-D", scene.mountDir]);
    assert.match(one.stdout, /^warning \(mine\.conf:1\): Subscriptions of the backup connect/m);
    const all = await runCli(["status"]);
    assert(all.stdout.includes(`${scene.mountDir}: warning (command line): The clone archives`));
    const log = `${scene.diffDir}/pbkfs.log`;
    await until(() => Deno.readTextFileSync(log).includes("a server has started"));
    assert.match(Deno.readTextFileSync(log), /warning .*\(mine\.conf:1\): Subscriptions/);
  },
);

testUnless(
  obstacle,
  "a server with a configuration from elsewhere is kept harmless by postgresql.auto.conf [FR-223]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    const elsewhere = `${scene.dirPath}/production.conf`;
    Deno.writeTextFileSync(
      elsewhere,
      `data_directory = '/nonexistent'\nhba_file = '${scene.mountDir}/pg_hba.conf'\n` +
        "archive_mode = on\narchive_command = '/bin/false'\n",
    );
    {
      await using _mount = await scene.mount(BACKUP_ID);
      Deno.removeSync(`${scene.mountDir}/postgresql.conf`);
      Deno.writeTextFileSync(`${scene.mountDir}/postgresql.auto.conf`, "# reset\n");
    }
    await using mount = await scene.mount(BACKUP_ID);
    assert.match(mount.printed.stderr, /no postgresql\.conf/);
    assert.throws(() => Deno.statSync(`${scene.mountDir}/postgresql.conf`));
    await using server = await PlainServer.start(
      scene,
      `-c config_file=${elsewhere} -c data_directory=${scene.mountDir}`,
    );
    assert.deepEqual(await server.settings("archive_mode"), { archive_mode: "off" });
    assert.deepEqual((await hazardsOf(scene)).map(({ setting }) => setting), ["config_file"]);
  },
);

testUnless(
  mountObstacle() ?? serverObstacle(17),
  "databases with event triggers at login are told [FR-224]",
  async () => {
    const options = { fixture: "pg17-chain", majorVersion: 17 } as const;
    await using scene = await Scene.open({ ...options, owner: ordinaryUser() });
    {
      await using mount = await scene.mount("TOTLRS");
      assert.doesNotMatch(mount.printed.stderr, /triggers/);
      await using server = await scene.startServer();
      await server.query(["create database with_trigger", "create database without"]);
      await server.query(
        [
          "create function f() returns event_trigger language plpgsql as 'begin end'",
          "create event trigger t on login execute function f()",
        ],
        "with_trigger",
      );
      await server.query("vacuum full pg_database"); // It is in another file then.
      await server.stop();
    }
    await using mount = await scene.mount("TOTLRS");
    assert.match(mount.printed.stderr, /when somebody connects to "with_trigger"; if/);
  },
);

testUnless(
  mountObstacle(),
  "where the settings cannot be written, that is told, and nothing is left half done [FR-225]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    const conf = `${scene.mountDir}/postgresql.conf`;
    for (const faults of ["pwrite:/data/@1-=ENOSPC", "pwrite:/data/@2-=ENOSPC"]) {
      await using mount = await scene.mount(BACKUP_ID, { faults });
      assert.match(mount.printed.stderr, /could not be written to the clone.*mount again before/);
      assert.match(mount.printed.stderr, /does not include pbkfs\.conf/);
      assert.equal(Deno.readTextFileSync(conf), Deno.readTextFileSync(storedConf(scene)), faults);
      const names = [...Deno.readDirSync(scene.mountDir)].map(({ name }) => name);
      assert(!names.includes("pbkfs.conf.new"), faults);
    }
    await using mount = await scene.mount(BACKUP_ID);
    assert.doesNotMatch(mount.printed.stderr, /pbkfs\.conf/);
    assert(Deno.readTextFileSync(conf).endsWith(INCLUDE));
  },
);

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    assert(tries < 600, "It did not come true");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
