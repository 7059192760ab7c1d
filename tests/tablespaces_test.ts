/** Tablespaces live inside the mount, and a base backup of the running clone can be taken. */

import assert from "node:assert/strict";
import type { PostgresServer } from "../postgres/mod.ts";
import { movedTablespaces, takePlain } from "./support/base_backup.ts";
import { sampleObstacle, TABLESPACES } from "./support/samples.ts";
import { answerOf, Scene } from "./support/scene.ts";
import { testUnless } from "./support/skip.ts";
import { commandAs, ordinaryUser } from "./support/users.ts";

const obstacle = sampleObstacle();
const { backupId: BACKUP_ID, fixture, majorVersion } = TABLESPACES;

/** The sample that has two tablespaces. */
function open(): Promise<Scene> {
  return Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
}

/** Runs `use` on a running clone of the sample that has two tablespaces. */
async function withClone(use: (scene: Scene, server: PostgresServer) => Promise<void>) {
  await using scene = await open();
  await using mount = await scene.mount(BACKUP_ID);
  {
    await using server = await scene.startServer();
    await use(scene, server);
    await server.stop();
  }
  await mount.unmount();
}

/** Table and index of the sample that lie in tablespaces, read through both. */
function tablespaceAnswer(server: PostgresServer): Promise<string> {
  return server.query([
    "select count(*), md5(string_agg(v, ',' order by id)) from in_ts1",
    "set enable_seqscan = off; set enable_bitmapscan = off; " +
    "select count(v), max(v) from in_ts1 where v > ''",
  ]);
}

testUnless(
  obstacle,
  "\\db+ shows the tablespaces, with their sizes [FR-320]",
  () =>
    withClone(async (_scene, server) => {
      const { stdout } = await server.run("psql", ["-XAt", "-c", "\\db+"]);
      for (const name of ["ts1", "ts2"]) {
        const line = stdout.split("\n").find((text) => text.startsWith(`${name}|`));
        assert.match(line ?? "", /\d+ kB/, `${name} in ${stdout}`);
        const size = await server.query(`select pg_tablespace_size('${name}') > 100000`);
        assert.equal(size, "t", name);
      }
      const [counts = ""] = (await tablespaceAnswer(server)).split("\n");
      assert.match(counts, /^12000\|/);
    }),
);

testUnless(
  obstacle,
  "who walks the directory comes to each file of a tablespace once, through pg_tblspc [FR-177]",
  async () => {
    await using scene = await open();
    await using mount = await scene.mount(BACKUP_ID);
    const tablespaces = `${scene.mountDir}/pbkfs_tablespaces`;
    const oids = [...Deno.readDirSync(tablespaces)].map((entry) => entry.name).sort();
    assert.equal(oids.length, 2);
    assert(
      ![...Deno.readDirSync(scene.mountDir)].some((entry) => entry.name === "pbkfs_tablespaces"),
    );
    const seen = new Map<string, number>();
    const walk = (path: string): void => {
      for (const entry of Deno.readDirSync(path)) {
        const inside = `${path}/${entry.name}`;
        if (Deno.statSync(inside).isDirectory) walk(inside);
        else {
          const real = Deno.realPathSync(inside);
          seen.set(real, (seen.get(real) ?? 0) + 1);
        }
      }
    };
    walk(scene.mountDir);
    assert.deepEqual([...seen].filter(([, times]) => times !== 1), []);
    assert(
      [...seen.keys()].some((path) =>
        path.startsWith(`${tablespaces}/${oids[0]}/PG_${majorVersion}`)
      ),
    );
    await mount.unmount();
  },
);

testUnless(
  obstacle,
  "tables and indexes are created and dropped in the tablespaces [FR-321]",
  () =>
    withClone(async (scene, server) => {
      const pages = await server.query("select pg_relation_filepath('in_ts1')");
      assert(Deno.realPathSync(`${scene.mountDir}/${pages}`).startsWith(`${scene.mountDir}/`));
      await server.query([
        "create table new_in_ts2(i int primary key, t text) tablespace ts2",
        "insert into new_in_ts2 select i, md5(i::text) from generate_series(1, 5000) i",
        "create index new_in_ts1 on new_in_ts2(t) tablespace ts1",
        "alter table accounts set tablespace ts2",
        "checkpoint",
      ]);
      assert.equal(await server.query("select count(*) from new_in_ts2"), "5000");
      await server.query(["drop table new_in_ts2", "drop table in_ts1", "checkpoint"]);
      assert.equal(await server.query("select count(*) from accounts"), "8000");
    }),
);

testUnless(
  obstacle,
  "a tablespace is added outside the mount, and one inside is dropped [FR-321]",
  () =>
    withClone(async (scene, server) => {
      const outside = `${scene.dirPath}/ts3`;
      Deno.mkdirSync(outside);
      if (Deno.uid() === 0) Deno.chownSync(outside, scene.owner.uid, scene.owner.gid);
      await server.query([
        `create tablespace ts3 location '${outside}'`,
        "create table in_ts3 tablespace ts3 as select generate_series(1, 100) i",
        "drop table in_ts1",
        "drop tablespace ts1",
      ]);
      assert.equal(await server.query("select count(*) from in_ts3"), "100");
      await server.query(["drop table in_ts3", "drop tablespace ts3"]);
    }),
);

for (const format of ["plain", "tar"] as const) {
  testUnless(
    obstacle,
    `pg_basebackup (${format}) of the clone gives a cluster that runs [FR-322]`,
    () =>
      withClone(async (scene, server) => {
        await server.query("update accounts set balance = 1 where id = 1");
        const expected = [await answerOf(server), await tablespaceAnswer(server)];
        const target = await (format === "plain" ? takePlain : takeTar)(scene, server);
        await using copy = await scene.startServer(target);
        assert.deepEqual([await answerOf(copy), await tablespaceAnswer(copy)], expected);
        assert.equal(await copy.query("select pg_tablespace_size('ts1') > 100000"), "t");
      }),
  );
}

/** As plain, but through archives that we unpack, tablespaces to new places. */
async function takeTar(scene: Scene, server: PostgresServer): Promise<string> {
  const [target, archives] = [`${scene.dirPath}/unpacked`, `${scene.dirPath}/archives`];
  const moved = await movedTablespaces(scene, server);
  await server.run("pg_basebackup", ["-D", archives, "-F", "tar", "-c", "fast", "--no-sync"]);
  await unpack(scene, `${archives}/base.tar`, target);
  await unpack(scene, `${archives}/pg_wal.tar`, `${target}/pg_wal`);
  for (const { oid, to } of moved) await unpack(scene, `${archives}/${oid}.tar`, to);
  if (moved.length > 0) {
    const map = moved.map(({ oid, to }) => `${oid} ${to}\n`).join("");
    Deno.writeTextFileSync(`${target}/tablespace_map`, map);
  }
  return target;
}

async function unpack(scene: Scene, archive: string, target: string): Promise<void> {
  for (
    const command of [
      ["mkdir", "-p", "-m", "700", target],
      ["tar", "-xf", archive, "-C", target],
    ]
  ) {
    const [program = "", ...args] = commandAs(scene.owner, command);
    const { success, stderr } = await new Deno.Command(program, { args, cwd: "/" }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
}
