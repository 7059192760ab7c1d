/** pg_rewind takes a clone with tablespaces for the data directory that it is. */

import assert from "node:assert/strict";
import { findInstallation, PostgresServer } from "../postgres/mod.ts";
import { takePlain } from "./support/base_backup.ts";
import { sampleObstacle, TABLESPACES } from "./support/samples.ts";
import { answerOf, Scene } from "./support/scene.ts";
import { testUnless } from "./support/skip.ts";
import { commandAs, ordinaryUser } from "./support/users.ts";

const obstacle = sampleObstacle();
const { backupId: BACKUP_ID, fixture, majorVersion } = TABLESPACES;
/** The sample has no data checksums, so pg_rewind needs hints logged, and all WAL since. */
const SETTINGS = { wal_log_hints: "on", wal_keep_size: "500MB" };

/** All that the tests change, in tablespaces and outside, read back. */
async function contents(server: PostgresServer): Promise<unknown> {
  return [
    await answerOf(server),
    await server.query("select count(*), md5(string_agg(v, ',' order by id)) from in_ts1"),
    await server.query("select relname from pg_class where relname like 'made_%' order by 1"),
    await server.query("select datname from pg_database where datname like 'made_%' order by 1"),
    await server.query("select sum(i), count(t) from made_before"),
    await server.query("select md5(string_agg(t, ',' order by i)) from made_before", "made_both"),
  ];
}

/** What both have from before they part. */
async function writeBefore(server: PostgresServer): Promise<void> {
  await server.query([
    "create table made_before tablespace ts2 as " +
    "select i, md5(i::text) t from generate_series(1, 5000) i",
    "create table made_dropped tablespace ts1 as select * from made_before",
    "create database made_both tablespace ts2",
    "create database made_gone tablespace ts1",
  ]);
  await server.query(
    "create table made_before as select i, md5(i::text) t from generate_series(1, 50) i",
    "made_both",
  );
}

/** What only one of them does: pages change, files come, grow and go, in both tablespaces. */
async function diverge(server: PostgresServer, name: string): Promise<void> {
  await server.query([
    `update in_ts1 set v = '${name}' || v where id % 3 = 0`,
    `update made_before set t = '${name}' where i % 2 = 0`,
    `create table made_by_${name} tablespace ts1 as select * from made_before`,
    `create index made_index_${name} on made_before(t) tablespace ts1`,
    `create database made_in_${name} tablespace ts1`,
    "drop table made_dropped",
    "drop database made_gone",
    "checkpoint",
  ]);
  await server.query(`update made_before set t = '${name}' || t`, "made_both");
}

/** Starts what was copied from a primary, and makes it one itself, on a new timeline. */
async function promoted(scene: Scene, dataDir: string): Promise<PostgresServer> {
  const signal = `${dataDir}/standby.signal`;
  const [program = "", ...args] = commandAs(scene.owner, ["touch", signal]);
  assert((await new Deno.Command(program, { args, cwd: "/" }).output()).success);
  const server = await PostgresServer.start({
    dataDir,
    settings: SETTINGS,
    user: scene.owner,
    installation: findInstallation(majorVersion),
  });
  try {
    assert.equal(await server.query("select pg_promote()"), "t");
    await server.waitUntilPrimary();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** Starts `dataDir`, and has PostgreSQL look at every page, with every relation there. */
async function mustBeLike(scene: Scene, dataDir: string, expected: unknown): Promise<void> {
  await using server = await scene.startServer(dataDir, SETTINGS);
  assert.deepEqual(await contents(server), expected);
  await server.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"]);
  await server.query(["create table made_later tablespace ts1 as select 1", "checkpoint"]);
  await server.stop();
}

testUnless(
  obstacle,
  "pg_rewind turns a clone with tablespaces into a copy of a running server [FR-178]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    await using mount = await scene.mount(BACKUP_ID);
    await using clone = await scene.startServer(scene.mountDir, SETTINGS);
    await writeBefore(clone);
    const plain = await takePlain(scene, clone);
    await using source = await promoted(scene, plain);
    await diverge(clone, "clone");
    await diverge(source, "source");
    const expected = await contents(source);
    await clone.stop();
    await source.query("checkpoint");
    const args = ["--source-server=dbname=postgres", "--target-pgdata", scene.mountDir];
    await source.run("pg_rewind", ["--no-sync", ...args]);
    await mustBeLike(scene, scene.mountDir, expected);
    await source.stop();
    await mount.unmount();
  },
);

testUnless(
  obstacle,
  "pg_rewind turns a clone with tablespaces into a copy of another, running clone [FR-178]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    const other = { mountDir: `${scene.dirPath}/other`, diffDir: `${scene.dirPath}/other-diff` };
    Deno.mkdirSync(other.mountDir);
    await using mount = await scene.mount(BACKUP_ID);
    await using otherMount = await scene.mount(BACKUP_ID, { ...other, extra: ["--wal", "inside"] });
    {
      await using target = await promoted(scene, other.mountDir);
      await writeBefore(target);
      await diverge(target, "target");
      await target.stop();
    }
    await using source = await scene.startServer(scene.mountDir, SETTINGS);
    await writeBefore(source);
    await diverge(source, "source");
    const args = ["--source-server=dbname=postgres", "--target-pgdata", other.mountDir];
    await source.run("pg_rewind", ["--no-sync", ...args]);
    await mustBeLike(scene, other.mountDir, await contents(source));
    await source.stop();
    await otherMount.unmount();
    await mount.unmount();
  },
);
