/**
 * A catalog of a cluster with two tablespaces, written by us: pg_probackup has made one for
 * PostgreSQL 15 only. What a test needs of it is as in `mixed-compression`.
 *
 * @module
 */

import { findInstallation, PostgresServer } from "../../postgres/mod.ts";
import { LiveCatalogs } from "./catalog_writer/live_catalogs.ts";
import { makeCluster } from "./cluster.ts";
import { TempDir } from "./temp_dir.ts";
import { isRoot, ordinaryUser } from "./users.ts";

/** As `make-catalogs.sh` does for `mixed-compression`, before the FULL backup. */
const LOAD = [
  "create table accounts(id int primary key, owner text, balance bigint)",
  "insert into accounts select i, md5(i::text), i * 10 from generate_series(1, 6000) i",
  "create index on accounts(owner)",
  "create table shrink as select i, repeat('s', 400) p from generate_series(1, 8000) i",
  "create table toasty(id int primary key, doc text)",
  "insert into toasty select i, (select string_agg(md5((i * j)::text), '') " +
  "from generate_series(1, 150) j) from generate_series(1, 80) i",
  "create table in_ts1(id int primary key, v text) tablespace ts1",
  "insert into in_ts1 select i, md5(i::text) from generate_series(1, 9000) i",
  "create index in_ts2 on in_ts1(v) tablespace ts2",
];

/** What happens before the DELTA backup. */
const CHANGE = [
  "update accounts set balance = balance * 2 where id < 4000",
  "insert into accounts select i, md5(i::text), i * 10 from generate_series(6001, 8000) i",
  "insert into in_ts1 select i, md5(i::text) from generate_series(9001, 12000) i",
  "delete from shrink where i > 900",
  "vacuum shrink",
];

/** Writes `catalog/` into a directory: a FULL and a DELTA backup. */
export async function makeTablespaceCatalog(dirPath: string, majorVersion: number): Promise<void> {
  const owner = ordinaryUser();
  await using place = TempDir.make(owner);
  const dataDir = `${place.path}/cluster`;
  await makeCluster({ dirPath: dataDir, majorVersion, owner });
  const server = await PostgresServer.start({
    dataDir,
    settings: { fsync: "off", autovacuum: "off" },
    installation: findInstallation(majorVersion),
  });
  await using _server = server;
  for (const name of ["ts1", "ts2"]) {
    Deno.mkdirSync(`${place.path}/${name}`);
    if (isRoot()) Deno.chownSync(`${place.path}/${name}`, owner.uid, owner.gid);
    await server.query(`create tablespace ${name} location '${place.path}/${name}'`);
  }
  const user = isRoot() ? owner : undefined;
  const codecs = ["zlib"] as const;
  using catalogs = await LiveCatalogs.make({
    server,
    user,
    dirPath: place.path,
    codecs,
    threads: 0,
  });
  await server.query(LOAD);
  await catalogs.add("FULL");
  await server.query(CHANGE);
  await catalogs.add("DELTA");
  await server.stop();
  await Deno.rename(`${place.path}/zlib`, `${dirPath}/catalog`);
}
