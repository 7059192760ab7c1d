/** A data directory that lies there is mounted: pg_basebackup's plain output, or a cold one. */

import assert from "node:assert/strict";
import { type Code, CODES } from "../errors.ts";
import { findInstallation, PostgresServer } from "../postgres/mod.ts";
import { runCli } from "./support/cli.ts";
import { makeCluster } from "./support/cluster.ts";
import { waitUntil } from "./support/daemon_process.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { TempDir } from "./support/temp_dir.ts";
import { ordinaryUser } from "./support/users.ts";

const owner = ordinaryUser();

/** A cluster with a table in a tablespace, and places for a backup and a clone of it. */
class Place implements AsyncDisposable {
  readonly sourceDir: string;
  readonly backupDir: string;
  readonly mountDir: string;
  readonly diffDir: string;

  private constructor(readonly dir: TempDir, readonly majorVersion: number) {
    this.sourceDir = `${dir.path}/source`;
    this.backupDir = `${dir.path}/backup`;
    this.mountDir = `${dir.path}/mount`;
    this.diffDir = `${dir.path}/diff`;
  }

  static async make(majorVersion: number): Promise<Place> {
    const place = new Place(TempDir.make(owner), majorVersion);
    Deno.mkdirSync(place.mountDir);
    Deno.mkdirSync(`${place.dir.path}/space`);
    if (Deno.uid() === 0) {
      for (const path of [place.mountDir, `${place.dir.path}/space`]) {
        Deno.chownSync(path, owner.uid, owner.gid);
      }
    }
    await makeCluster({ dirPath: place.sourceDir, majorVersion, owner });
    return place;
  }

  async startServer(dataDir: string): Promise<PostgresServer> {
    const installation = findInstallation(this.majorVersion);
    const server = await PostgresServer.start({ dataDir, installation, user: owner });
    await server.waitUntilPrimary();
    return server;
  }

  /** Starts the original, and fills it. */
  async startSource(): Promise<PostgresServer> {
    const server = await this.startServer(this.sourceDir);
    await server.query([
      `create tablespace space location '${this.dir.path}/space'`,
      "create table accounts as select id, md5(id::text) as v from generate_series(1, 20000) id",
      "create table moved tablespace space as select * from accounts where id % 2 = 0",
      "create index on accounts(v)",
    ]);
    return server;
  }

  async mount(...args: string[]): Promise<string> {
    const { code, stderr } = await runCli(["mount", "-d", this.diffDir, ...args]);
    assert.equal(code, 0, stderr);
    return stderr;
  }

  async mustRefuse(args: string[], code: Code, says: RegExp): Promise<void> {
    const { code: status, stderr } = await runCli(["mount", "-d", this.diffDir, ...args]);
    assert.equal(status, CODES[code].exitCode, stderr);
    assert.match(stderr, says);
  }

  async unmount(): Promise<void> {
    const { code, stderr } = await runCli(["unmount", "-d", this.diffDir]);
    assert.equal(code, 0, stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]();
  }
}

function answerOf(server: PostgresServer): Promise<string> {
  return server.query(`select (select md5(string_agg(v, ',' order by id)) from accounts),
    (select md5(string_agg(v, ',' order by id)) from moved)`);
}

/** What a clone does all its life: answers, writes, is checked. */
async function live(server: PostgresServer, expected: string): Promise<string> {
  assert.equal(await answerOf(server), expected);
  await server.query([
    "update accounts set v = 'clone' where id % 3 = 0",
    "insert into moved select id, 'clone' from generate_series(100001, 103000) id",
    "checkpoint",
  ]);
  const written = await answerOf(server);
  assert.notEqual(written, expected);
  await server.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"]);
  await server.stop();
  await server.run("pg_checksums", ["--check", "-D", server.dataDir]);
  return written;
}

for (const majorVersion of [15, 17]) {
  const obstacle = mountObstacle() ?? serverObstacle(majorVersion);

  testUnless(
    obstacle,
    `PostgreSQL ${majorVersion}: a base backup is mounted, lived on, and found again after a remount [FR-987]`,
    async () => {
      await using place = await Place.make(majorVersion);
      let expected: string;
      {
        await using server = await place.startSource();
        expected = await answerOf(server);
        const mapping = `${place.dir.path}/space=${place.dir.path}/space-copy`;
        const args = ["-D", place.backupDir, "-c", "fast", "--no-sync", "-R"];
        await server.run("pg_basebackup", [...args, `--tablespace-mapping=${mapping}`]);
        const from = ["--from", place.sourceDir, "-D", place.mountDir];
        await place.mustRefuse(from, "StoreLocked", /A server, process \d+, runs on/);
        await server.stop();
      }
      const before = await snapshot(place.backupDir);
      const copyBefore = await snapshot(`${place.dir.path}/space-copy`);
      const wal = majorVersion === 15 ? "inside" : "outside";
      const told = await place.mount(
        ...["--from", place.backupDir, "-D", place.mountDir, "--wal", wal],
      );
      assert.match(told, /mounted the data directory .* \(PostgreSQL \d+, a base backup\)/);
      let written: string;
      {
        await using server = await place.startServer(place.mountDir);
        written = await live(server, expected);
      }
      await place.unmount();
      await place.mount();
      {
        await using server = await place.startServer(place.mountDir);
        assert.equal(await answerOf(server), written);
        await server.stop();
      }
      await place.unmount();
      assert.deepEqual(await snapshot(place.backupDir), before);
      assert.deepEqual(await snapshot(`${place.dir.path}/space-copy`), copyBefore);
    },
  );

  testUnless(
    obstacle,
    `PostgreSQL ${majorVersion}: a cold data directory is mounted; a server that starts on it is noticed [FR-987]`,
    async () => {
      await using place = await Place.make(majorVersion);
      let expected: string;
      {
        await using server = await place.startSource();
        expected = await answerOf(server);
        await server.stop();
      }
      Deno.writeTextFileSync(`${place.sourceDir}/unread`, "no server asks for it");
      const told = await place.mount("--from", place.sourceDir, "-D", place.mountDir);
      assert.match(told, /\(PostgreSQL \d+, shut down\)/);
      assert.match(told, /not locked, only watched: if a server starts on it/);
      {
        await using server = await place.startServer(place.mountDir);
        await live(server, expected);
      }
      {
        await using _original = await place.startServer(place.sourceDir);
        const log = () => Deno.readTextFileSync(`${place.diffDir}/pbkfs.log`);
        assert(
          await waitUntil(() => /reads of the backups fail.*A server was started/.test(log())),
        );
        // Nobody has asked for this file yet, so the kernel does not have it.
        const path = `${place.mountDir}/unread`;
        assert.throws(() => Deno.readTextFileSync(path), /os error 5/);
        await place.unmount();
        await place.mustRefuse([], "StoreLocked", /A server, process \d+, runs on/);
      }
      await place.mustRefuse([], "DiffForeign", /has changed since the diff/);
    },
  );
}

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "a data directory and a catalog are not asked for together, nor is one mounted in itself [FR-985]",
  async () => {
    await using place = await Place.make(15);
    const from = ["--from", place.sourceDir];
    const at = ["-D", place.mountDir];
    await place.mustRefuse([...from, "-B", place.sourceDir, ...at], "Usage", /is no catalog/);
    await place.mustRefuse([...from, "-i", "latest", ...at], "Usage", /is no catalog/);
    await place.mustRefuse([...from, "-D", `${place.sourceDir}/pg_notify`], "Usage", /is inside/);
    const before = await snapshot(place.sourceDir);
    await place.mustRefuse([...from, "-D", `${place.sourceDir}/missing`], "Usage", /is inside/);
    assert.deepEqual(await snapshot(place.sourceDir), before);
    const inside = ["mount", ...from, ...at, "-d", `${place.sourceDir}/diff`];
    const { code, stderr } = await runCli(inside);
    assert.equal(code, CODES.DiffMisplaced.exitCode, stderr);
    assert.match(stderr, /is inside the data directory/);
    await place.mustRefuse(["--from", "/nowhere", ...at], "CatalogMissing", /no data directory at/);
  },
);

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "a mounted data directory is served with its owner's rights, and tells how to start a server [FR-989]",
  async () => {
    await using place = await Place.make(15);
    const from = ["--from", place.sourceDir, "-D", place.mountDir];
    const { code, stdout, stderr } = await runCli([
      ...["mount", "-d", place.diffDir, ...from, "--json"],
    ]);
    assert.equal(code, 0, stderr);
    const { kind, catalogPath, chain, server, pid } = parseDocument("mount", stdout);
    assert.deepEqual([kind, catalogPath], ["directory", place.sourceDir]);
    assert.deepEqual(chain.map(({ mode }: { mode: string }) => mode), ["FULL"]);
    assert.equal(server.version, "15");
    assert.equal(server.user.uid, owner.uid);
    assert.match(server.commands.start, /pg_ctl/);
    const shown = await runCli(["status", "-d", place.diffDir]);
    assert(/^data directory +\S/m.test(shown.stdout), shown.stdout);
    const told = await runCli(["status", "-d", place.diffDir, "--json"]);
    const [mount] = parseDocument("status", told.stdout).mounts;
    assert.deepEqual([mount.kind, mount.catalogPath], ["directory", place.sourceDir]);
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    assert.equal(/^Uid:\s+(\d+)/m.exec(status)?.[1], `${owner.uid}`);
    await place.unmount();
  },
);

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "a diff of a data directory is verified, also once it was moved, and salvaged [FR-990]",
  async () => {
    await using place = await Place.make(15);
    await place.mount("--from", place.sourceDir, "-D", place.mountDir);
    {
      await using server = await place.startServer(place.mountDir);
      await server.query("create table made as select id from generate_series(1, 20000) id");
      await server.query("checkpoint");
    }
    await place.unmount();
    const verify = (...args: string[]) => runCli(["verify", "-d", place.diffDir, ...args]);
    const sound = await verify("--json");
    assert.equal(sound.code, 0, sound.stdout + sound.stderr);
    const { findings, dataFiles, pages } = parseDocument("verify", sound.stdout);
    assert.deepEqual(findings, []);
    assert(dataFiles > 10 && pages > 80, `${dataFiles} data files, ${pages} pages`);
    const asCatalog = await verify("-B", place.sourceDir);
    assert.equal(asCatalog.code, CODES.DiffForeign.exitCode, asCatalog.stderr);

    Deno.renameSync(place.sourceDir, place.backupDir);
    const gone = await verify();
    assert.equal(gone.code, CODES.CatalogMissing.exitCode, gone.stderr);
    assert.match(gone.stderr, /say with --from where it is now/);
    const moved = await verify("--from", place.backupDir);
    assert.equal(moved.code, 0, moved.stdout + moved.stderr);
    const from = ["--from", place.backupDir];
    Deno.writeTextFileSync(`${place.backupDir}/added`, "x");
    const changed = await verify(...from);
    assert.equal(changed.code, CODES.DiffForeign.exitCode, changed.stdout + changed.stderr);
    await place.mustRefuse([...from, "--salvage"], "DiffForeign", /has changed since the diff/);
    Deno.removeSync(`${place.backupDir}/added`);

    Deno.removeSync(`${place.diffDir}/metadata.sqlite`);
    const lost = await verify(...from);
    assert.equal(lost.code, CODES.DamageFound.exitCode, lost.stderr);
    await place.mustRefuse(from, "DiffDamaged", /metadata/);
    const told = await place.mount(...from, "--salvage");
    assert.match(told, /salvaged, read-only/);
    assert.equal(Deno.readTextFileSync(`${place.mountDir}/PG_VERSION`), "15\n");
    assert([...Deno.readDirSync(`${place.mountDir}/lost+found`)].length > 10);
    await place.unmount();
  },
);
