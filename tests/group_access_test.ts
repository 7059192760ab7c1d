/** Clones of a cluster that was made for its group to read, with `initdb --allow-group-access`. */

import assert from "node:assert/strict";
import { CHAIN, sampleObstacle } from "./support/samples.ts";
import { Scene } from "./support/scene.ts";
import { testUnless } from "./support/skip.ts";
import { commandAs, isRoot, ordinaryUser } from "./support/users.ts";

const obstacle = sampleObstacle();
const { backupId: BACKUP_ID, fixture, majorVersion } = CHAIN;

/** Makes the sample one of a cluster with group access: all modes are in the file lists. */
async function giveToGroup(catalogDir: string): Promise<void> {
  for (const { name } of Deno.readDirSync(`${catalogDir}/backups/main`)) {
    const path = `${catalogDir}/backups/main/${name}`;
    if (!Deno.statSync(path).isDirectory) continue;
    const list = await Deno.readTextFile(`${path}/backup_content.control`);
    const wide = list.replaceAll(`"mode":"${0o40700}"`, `"mode":"${0o40750}"`)
      .replaceAll(`"mode":"${0o100600}"`, `"mode":"${0o100640}"`);
    assert.notEqual(wide, list);
    await Deno.writeTextFile(`${path}/backup_content.control`, wide);
    const control = await Deno.readTextFile(`${path}/backup.control`);
    // Without it, the list is not checked.
    await Deno.writeTextFile(`${path}/backup.control`, control.replace(/^content-crc.*\n/m, ""));
  }
}

function modeOf(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o7777).toString(8);
}

/** Whether somebody else, in the group or not, can do it. */
function may(gid: number, command: readonly string[]): boolean {
  const [program = "", ...args] = commandAs({ uid: 65533, gid }, command);
  return new Deno.Command(program, { args, cwd: "/", stdout: "null", stderr: "null" }).outputSync()
    .success;
}

for (const wal of ["outside", "inside"] as const) {
  testUnless(
    obstacle,
    `pg_wal ${wal} the mount is open to the group of a cluster with group access [FR-173]`,
    async () => {
      const owner = ordinaryUser();
      await using scene = await Scene.open({ fixture, majorVersion, owner });
      await giveToGroup(scene.catalogDir);
      Deno.chmodSync(scene.dirPath, 0o711); // For others to get as far as the mount.
      await using mount = await scene.mount(BACKUP_ID, { extra: ["--wal", wal] });
      const { mountDir, diffDir } = scene;
      assert.equal(modeOf(mountDir), "750");
      assert.equal(modeOf(`${mountDir}/pg_wal`), "750");
      assert.equal(modeOf(`${mountDir}/base`), "750");
      await using server = await scene.startServer();
      assert.equal(await server.query("show data_directory_mode"), "0750");
      await server.query(["create table made as select 1", "select pg_switch_wal()", "checkpoint"]);
      const file = await server.query("select pg_walfile_name(pg_current_wal_lsn())");
      assert.equal(modeOf(`${mountDir}/pg_wal/${file}`), "640");
      if (isRoot()) {
        assert(may(owner.gid, ["cat", `${mountDir}/pg_wal/${file}`]), "the group reads");
        assert(may(owner.gid, ["ls", `${mountDir}/pg_wal/`]), "the group lists");
        assert(!may(owner.gid, ["touch", `${mountDir}/pg_wal/new`]), "the group does not write");
        assert(!may(owner.gid, ["ls", diffDir]), "it sees nothing else of the diff");
        assert(!may(owner.gid, ["ls", `${diffDir}/data`]));
        assert(!may(owner.gid, ["cat", `${diffDir}/metadata.sqlite`]));
        assert(!may(65533, ["ls", `${mountDir}/pg_wal/`]), "others see nothing");
        assert(!may(65533, ["ls", `${diffDir}/wal`]));
      }
      await server.stop();
      await mount.unmount();
    },
  );
}

testUnless(
  obstacle,
  "without group access pg_wal and the diff are for their owner [FR-173]",
  async () => {
    await using scene = await Scene.open({ fixture, majorVersion, owner: ordinaryUser() });
    await using mount = await scene.mount(BACKUP_ID);
    assert.equal(modeOf(`${scene.mountDir}/pg_wal`), "700");
    assert.equal(modeOf(scene.diffDir), "700");
    await mount.unmount();
  },
);
