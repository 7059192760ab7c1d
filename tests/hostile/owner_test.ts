/** Root's mounts, with an owner of catalog and diff who wishes it ill: he gains nothing by them. */

import assert from "node:assert/strict";
import { CODES } from "../../errors.ts";
import { accountOf } from "../../ffi/credentials.ts";
import { commandAs } from "../../postgres/mod.ts";
import { runCli } from "../support/cli.ts";
import { ownerOf } from "../support/daemon_process.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { fuseMounts } from "../support/mounts.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { type Identity, isRoot, ordinaryUser } from "../support/users.ts";
import { Rooted } from "./_rooted.ts";

const obstacle = mountObstacle() ?? (isRoot() ? undefined : "only root mounts for others");
const BACKUP = "TOTL9U";
const ROUNDS = 4;

/** Does something over and over, as the owner, until its scope ends. */
function overAndOver(script: string, owner: Identity): AsyncDisposable {
  const [program = "", ...args] = commandAs(owner, ["sh", "-c", `while :; do ${script}; done`]);
  const child = new Deno.Command(program, { args, cwd: "/", stdout: "null", stderr: "null" })
    .spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

testUnless(
  obstacle,
  "the process behind root's mount has the rights of the backup's owner, in every thread [FR-850]",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    await using _mount = await scene.mount(BACKUP);
    const { pid } = ownerOf(scene.diffDir);
    const { groups } = accountOf(owner);
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
      const field = (key: string) =>
        (new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "").trim().split(/\s+/);
      assert.deepEqual(field("Uid"), [owner.uid, owner.uid, 0, owner.uid].map(String), name);
      assert.deepEqual(field("Gid"), Array(4).fill(`${owner.gid}`), name);
      assert.deepEqual(new Set(field("Groups")), new Set(groups.map(String)), name);
      assert.match(field("CapEff").join(), /^0+$/, name);
    }
    const line = Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
      .find((one) => one.split(" ")[4] === scene.mountDir);
    assert.match(line ?? "", /nosuid,nodev/, "whatever modes a diff gives, nobody becomes root");
    for (const name of ["", "/data", "/wal", "/.pbkfs-binding.json", "/metadata.sqlite"]) {
      assert.equal(Deno.lstatSync(scene.diffDir + name).uid, owner.uid, name);
    }
  },
);

testUnless(
  obstacle,
  "a data file of the diff that is a link gives the owner nothing that he could not have [FR-851]",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    await using rooted = new Rooted();
    {
      await using _mount = await scene.mount(BACKUP);
      Deno.writeTextFileSync(`${scene.mountDir}/mine`, "x".repeat(20_000));
    }
    const data = `${scene.diffDir}/data`;
    const name = [...Deno.readDirSync(data)].map((entry) => entry.name)
      .find((name) => Deno.lstatSync(`${data}/${name}`).size === 20_000);
    assert(name !== undefined);
    Deno.removeSync(`${data}/${name}`);
    Deno.symlinkSync(rooted.filePath, `${data}/${name}`);
    const { code } = await runCli(mountArguments(scene.mountOptions(BACKUP)));
    try {
      if (code === 0) {
        assert.throws(() => Deno.readTextFileSync(`${scene.mountDir}/mine`));
        assert.throws(() => {
          using file = Deno.openSync(`${scene.mountDir}/mine`, { write: true });
          file.writeSync(new Uint8Array(9000));
          file.syncSync();
        });
      }
    } finally {
      await runCli(["unmount", "-D", scene.mountDir, "--force"]);
    }
    rooted.mustBeAsItWas();
  },
);

testUnless(
  obstacle,
  "whatever the owner does to a diff while root mounts it and cleans it up, root's files stay [FR-851]",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ fixture: "archive-wal", owner });
    await using rooted = new Rooted();
    const { diffDir } = scene;
    const links = ["wal.tmp", "wal", "data", ".pbkfs-lock", "pbkfs.log", "control.sock"]
      .map((name) => `ln -s ${rooted.dirPath} ${diffDir}/${name}`);
    const files = [
      `for n in ${diffDir}/wal.tmp/*; do ln -sf ${rooted.filePath} "$n"; done`,
      `ln -sf ${rooted.filePath} ${diffDir}/.pbkfs-binding.json.tmp`,
      `ln -sf ${rooted.filePath} ${diffDir}/metadata.sqlite-wal`,
    ];
    for (const script of [files.join("; "), links.join("; "), `${links[0]}; ${files[0]}`]) {
      await using _race = overAndOver(script, owner);
      for (let round = 0; round < ROUNDS; round++) {
        await runCli(mountArguments(scene.mountOptions("TOTLG5")));
        await runCli(["unmount", "-D", scene.mountDir, "--force"]);
        await runCli(["cleanup", "-d", diffDir, "--yes"]);
        rooted.mustBeAsItWas();
      }
    }
  },
);

testUnless(
  obstacle,
  "a mount directory that its owner swaps for a link does not lead a mount elsewhere [FR-852]",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    await using rooted = new Rooted();
    Deno.removeSync(rooted.filePath); // An empty directory could be mounted on.
    const [there, away] = [scene.mountDir, `${scene.dirPath}/away`];
    {
      await using _race = overAndOver(
        `mv -T ${there} ${away} && ln -s ${rooted.dirPath} ${there} && rm ${there}; ` +
          `mv -T ${away} ${there}`,
        owner,
      );
      for (let round = 0; round < ROUNDS; round++) {
        await runCli(mountArguments(scene.mountOptions(BACKUP)));
        assert.deepEqual(fuseMounts(rooted.dirPath), []);
        await runCli(["unmount", "-d", scene.diffDir, "--force"]);
      }
    }
    await runCli(["unmount", "-d", scene.diffDir, "--force"]);
    assert.deepEqual(fuseMounts(rooted.dirPath), []);
  },
);

testUnless(obstacle, "root does not mount with a diff of another user [FR-853]", async () => {
  await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
  Deno.mkdirSync(scene.diffDir, { mode: 0o777 });
  Deno.chownSync(scene.diffDir, 65534, 65534);
  Deno.chmodSync(scene.diffDir, 0o777);
  const refused = await runCli(mountArguments(scene.mountOptions(BACKUP)));
  assert.equal(refused.code, CODES.PermissionDenied.exitCode, refused.stderr);
  assert.match(refused.stderr, /belongs to user 65534, the backup to user/);
  assert.deepEqual([...Deno.readDirSync(scene.diffDir)], []);
});
