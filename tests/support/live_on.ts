/**
 * The whole story of a clone: a server answers, writes, and finds it again after a remount.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { PostgresServer } from "../../postgres/mod.ts";
import type { FixtureName } from "./fixtures.ts";
import type { MountOptions } from "./mount_backup.ts";
import { answerOf, type Scene } from "./scene.ts";
import { snapshot } from "./snapshot.ts";

/** A backup, and which file of `rows/` holds the answer that its mount must give. */
export interface Sample {
  readonly fixture: FixtureName;
  readonly backupId: string;
  readonly rows: string;
  readonly majorVersion: number;
}

/** Writes to what the backup holds and to what it does not, and makes it durable. */
async function write(server: PostgresServer): Promise<void> {
  await server.query([
    "create table written(i int primary key, t text)",
    "insert into written select i, repeat(md5(i::text), 20) from generate_series(1, 3000) i",
    "update accounts set owner = 'clone' where id % 3 = 0",
    "delete from shrink where i % 10 = 0",
    "vacuum shrink",
    "create database fresh",
    "checkpoint",
  ]);
}

/** What {@link write} left, in a few words. */
function written(server: PostgresServer): Promise<string> {
  return server.query(`select (select md5(string_agg(t, '' order by i)) from written),
    (select count(*) from accounts where owner = 'clone'),
    (select count(*) from shrink),
    (select count(*) from pg_database where datname = 'fresh')`);
}

/** Has PostgreSQL's own tools look at every page of every relation. */
async function check(server: PostgresServer): Promise<void> {
  await server.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"]);
  const hasChecksums = await server.query("show data_checksums") === "on";
  await server.stop();
  if (hasChecksums) await server.run("pg_checksums", ["--check", "-D", server.dataDir]);
}

/** Plays it. @param options How to mount, each time. */
export async function liveOn(scene: Scene, sample: Sample, options: Partial<MountOptions> = {}) {
  const before = await snapshot(scene.catalogDir);
  let expected: string;
  {
    await using mount = await scene.mount(sample.backupId, options);
    await using server = await scene.startServer();
    assert.deepEqual(await answerOf(server), scene.recordedRows(sample.rows));
    await write(server);
    expected = await written(server);
    await check(server);
    await mount.unmount();
  }
  assert.deepEqual([...Deno.readDirSync(scene.mountDir)], [], "the mount directory is empty again");
  {
    await using mount = await scene.mount(sample.backupId, options);
    await using server = await scene.startServer();
    assert.equal(await written(server), expected, "after unmount and remount");
    await server.stop();
    await mount.unmount();
  }
  assert.deepEqual(await snapshot(scene.catalogDir), before, "the catalog is as it was");
}
