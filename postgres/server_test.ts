import assert from "node:assert/strict";
import { PbkfsError } from "../errors.ts";
import { processesIn } from "./processes.ts";
import { PostgresServer } from "./server.ts";
import { makeCluster } from "../tests/support/cluster.ts";
import { serverObstacle, testUnless } from "../tests/support/skip.ts";
import { TempDir } from "../tests/support/temp_dir.ts";
import { ordinaryUser } from "../tests/support/users.ts";

const MAJOR_VERSION = [15, 17, 16, 18, 14].find((version) => !serverObstacle(version)) ?? 15;
const obstacle = serverObstacle(MAJOR_VERSION);

/** Runs `use` with a new cluster; all is gone afterwards. */
async function withCluster(use: (dataDir: string, dirPath: string) => Promise<void>) {
  const owner = ordinaryUser();
  await using dir = TempDir.make(owner);
  const dataDir = `${dir.path}/data`;
  await makeCluster({ dirPath: dataDir, majorVersion: MAJOR_VERSION, owner });
  await use(dataDir, dir.path);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

testUnless(
  obstacle,
  "a server answers, keeps what was written, and stops [FR-203]",
  () =>
    withCluster(async (dataDir) => {
      const before = Deno.readTextFileSync(`${dataDir}/postgresql.conf`);
      {
        await using server = await PostgresServer.start({ dataDir, settings: { work_mem: "1MB" } });
        assert.equal(await server.query("show work_mem"), "1MB");
        assert.equal(await server.query("show listen_addresses"), "");
        await server.query([
          "create table kept(i int)",
          "insert into kept values (7)",
          "checkpoint",
        ]);
        await server.stop();
        assert.deepEqual(processesIn(dataDir), []);
      }
      await using again = await PostgresServer.start({ dataDir });
      assert.equal(await again.query("select i from kept"), "7");
      assert.equal(Deno.readTextFileSync(`${dataDir}/postgresql.conf`), before, "not edited");
    }),
);

testUnless(
  obstacle,
  "leaving the scope ends the server and removes its socket [FR-203]",
  () =>
    withCluster(async (dataDir) => {
      let socketDir = "";
      await assert.rejects(async () => {
        await using server = await PostgresServer.start({ dataDir });
        socketDir = server.socketDir;
        assert(processesIn(dataDir).length > 1);
        throw new Error("a test that fails");
      }, /a test that fails/);
      assert.deepEqual(processesIn(dataDir), []);
      assert(!exists(socketDir));
    }),
);

testUnless(
  obstacle,
  "a server that cannot be told to stop is killed [FR-203]",
  () =>
    withCluster(async (dataDir) => {
      {
        await using server = await PostgresServer.start({ dataDir });
        Deno.renameSync(`${dataDir}/postmaster.pid`, `${dataDir}/hidden.pid`);
        await assert.rejects(() => server.stop("fast"), /did not stop/);
      }
      assert.deepEqual(processesIn(dataDir), []);
    }),
);

testUnless(
  obstacle,
  "a server that does not come up is an error with the end of its log [FR-204]",
  () =>
    withCluster(async (dataDir) => {
      Deno.writeTextFileSync(`${dataDir}/postgresql.conf`, "shared_buffers = lots\n", {
        append: true,
      });
      await assert.rejects(() => PostgresServer.start({ dataDir }), (error) => {
        assert(error instanceof PbkfsError);
        assert.equal(error.code, "PostgresFailed");
        assert.match(error.message, /invalid value for parameter "shared_buffers"/);
        return true;
      });
      assert.deepEqual(processesIn(dataDir), []);
    }),
);

testUnless(
  obstacle,
  "SQL that fails is an error that says what the server said [FR-204]",
  () =>
    withCluster(async (dataDir) => {
      await using server = await PostgresServer.start({ dataDir });
      await assert.rejects(
        () => server.query("select * from missing"),
        /relation "missing" does not exist/,
      );
      assert.equal(await server.query(["select 1", "select 2"]), "1\n2");
    }),
);

testUnless(
  obstacle,
  "a data_directory in the configuration does not lead the server elsewhere [FR-205]",
  () =>
    withCluster(async (dataDir, dirPath) => {
      const elsewhere = `data_directory = '${dirPath}/production'\n`;
      Deno.writeTextFileSync(`${dataDir}/postgresql.conf`, elsewhere, { append: true });
      await using server = await PostgresServer.start({ dataDir });
      assert.equal(await server.query("show data_directory"), dataDir);
    }),
);

testUnless(
  obstacle ?? (Deno.uid() === 0 ? undefined : "only root could run a server as root"),
  "root's data directory is refused with what to do [FR-205]",
  async () => {
    await using dir = TempDir.make();
    await assert.rejects(() => PostgresServer.start({ dataDir: dir.path }), /belongs to root/);
  },
);
