/** Every restorable backup of every sample: a server runs on the mount, and what it writes stays. */

import assert from "node:assert/strict";
import type { PostgresServer } from "../postgres/mod.ts";
import type { FixtureName } from "./support/fixtures.ts";
import { answerOf, Scene } from "./support/scene.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { ordinaryUser } from "./support/users.ts";

/** A backup, and which file of `rows/` holds the answer that its mount must give. */
interface Sample {
  readonly fixture: FixtureName;
  readonly backupId: string;
  readonly rows: string;
  readonly majorVersion: number;
}

const SAMPLES: readonly Sample[] = [
  ...samplesOf("zlib-chain", ["TOTL93", "TOTL9E", "TOTL9J", "TOTL9U"]),
  ...samplesOf("mixed-compression", ["TOTLAD", "TOTLAP", "TOTLAT", "TOTLB5"]),
  // Their WAL is not in the backup. The mount holds as much of it as makes the backup consistent.
  ...samplesOf("archive-wal", ["TOTLG0", "TOTLG5", "TOTLGD", "TOTLGG"], ".immediate"),
  ...samplesOf("damaged", ["TOTLDZ", "TOTLEQ"]),
  ...samplesOf(
    "pg17-chain",
    ["TOTLQ7", "TOTLQI", "TOTLQN", "TOTLQZ", "TOTLRA", "TOTLRH", "TOTLRS"],
    "",
    17,
  ),
];

function samplesOf(
  fixture: FixtureName,
  backupIds: readonly string[],
  suffix = "",
  majorVersion = 15,
): Sample[] {
  return backupIds.map((backupId) => ({
    fixture,
    backupId,
    rows: `${backupId}${suffix}`,
    majorVersion,
  }));
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

/** The whole story of one backup. */
async function liveOn(scene: Scene, sample: Sample, extra: readonly string[] = []) {
  const before = await snapshot(scene.catalogDir);
  let expected: string;
  {
    await using mount = await scene.mount(sample.backupId, { extra });
    await using server = await scene.startServer();
    assert.deepEqual(await answerOf(server), scene.recordedRows(sample.rows));
    await write(server);
    expected = await written(server);
    await check(server);
    await mount.unmount();
  }
  assert.deepEqual([...Deno.readDirSync(scene.mountDir)], [], "the mount directory is empty again");
  {
    await using mount = await scene.mount(sample.backupId, { extra });
    await using server = await scene.startServer();
    assert.equal(await written(server), expected, "after unmount and remount");
    await server.stop();
    await mount.unmount();
  }
  assert.deepEqual(await snapshot(scene.catalogDir), before, "the catalog is as it was");
}

for (const sample of SAMPLES) {
  const { fixture, backupId, majorVersion } = sample;
  testUnless(
    mountObstacle() ?? serverObstacle(majorVersion),
    `FR-310 ${fixture} ${backupId}: a server answers, writes, and finds it again after a remount`,
    async () => {
      await using scene = await Scene.open({ fixture, owner: ordinaryUser(), majorVersion });
      await liveOn(scene, sample);
    },
  );
}

/** The longest chain of each kind, for what need not be tried with all. */
const LONGEST = ["TOTL9U", "TOTLGG", "TOTLRS"];

for (const sample of SAMPLES.filter(({ backupId }) => LONGEST.includes(backupId))) {
  const { fixture, majorVersion } = sample;
  testUnless(
    mountObstacle() ?? serverObstacle(majorVersion),
    `FR-311 ${fixture} with --wal inside: the same, with pg_wal a directory of the mount`,
    async () => {
      await using scene = await Scene.open({ fixture, owner: ordinaryUser(), majorVersion });
      {
        await using mount = await scene.mount(sample.backupId, { extra: ["--wal", "inside"] });
        assert(Deno.lstatSync(`${mount.mountDir}/pg_wal`).isDirectory);
      }
      await Deno.remove(scene.diffDir, { recursive: true });
      await liveOn(scene, sample, ["--wal", "inside"]);
    },
  );

  testUnless(
    mountObstacle("ordinary user") ?? serverObstacle(majorVersion),
    `FR-330 ${fixture} as an ordinary user, through fusermount3: the same`,
    async () => {
      const options = { owner: ordinaryUser(), ownerMounts: true };
      await using scene = await Scene.open({ fixture, majorVersion, ...options });
      await liveOn(scene, sample);
    },
  );
}

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "FR-312 without -I and -i the newest restorable backup of the only instance is mounted",
  async () => {
    await using scene = await Scene.open({ fixture: "damaged", owner: ordinaryUser() });
    await using _mount = await scene.mount();
    await using server = await scene.startServer();
    assert.deepEqual(await answerOf(server), scene.recordedRows("TOTLEQ"));
  },
);

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "FR-313 pg_wal is a link to an ordinary directory in the diff, and all belongs to the server's user",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    await using mount = await scene.mount("TOTL9U");
    const walDir = Deno.realPathSync(`${mount.mountDir}/pg_wal`);
    assert(walDir.startsWith(`${scene.diffDir}/`), `${walDir} is in the diff`);
    for (const path of ["", "/global/pg_control", "/base", "/pg_wal/"]) {
      const { uid, gid } = Deno.statSync(mount.mountDir + path);
      assert.deepEqual({ uid, gid }, owner, `owner of ${path}`);
    }
    assert.equal((Deno.statSync(mount.mountDir).mode ?? 0) & 0o777, 0o700);
  },
);
