/** While a backup is mounted, pg_probackup knows; where it cannot be told, we look after it. */

import assert from "node:assert/strict";
import { isAlive, readOwner } from "../binding/mod.ts";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { ownerOf, waitUntil } from "./support/daemon_process.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { fuseMounts } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const CHAIN = ["TOTL93", "TOTL9E"];
const OTHERS = ["TOTL9J", "TOTL9U"];

function open(ownerMounts = false): Promise<Scene> {
  return Scene.open({ fixture: "zlib-chain", owner: ordinaryUser(), ownerMounts });
}

function backupDir({ catalogDir }: Scene, id: string): string {
  return `${catalogDir}/backups/main/${id}`;
}

/** Lock files in the directories of backups. */
function lockFiles(scene: Scene): string[] {
  return [...CHAIN, ...OTHERS].flatMap((id) =>
    [...Deno.readDirSync(backupDir(scene, id))]
      .filter(({ name }) => name.includes(".pid")).map(({ name }) => `${id}/${name}`)
  );
}

/** The one pid that the lists of all members have. */
function listedPid(scene: Scene): number {
  const lists = CHAIN.map((id) => Deno.readTextFileSync(`${backupDir(scene, id)}/backup_ro.pid`));
  assert.match(lists[0] ?? "", /^\d+\n$/);
  assert.deepEqual(new Set(lists).size, 1);
  return Number(lists[0]);
}

function sleeper(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["300"] }).spawn();
}

async function end(process: Deno.ChildProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.status;
}

for (const ownerMounts of isRoot() ? [false, true] : [true]) {
  const who = ownerMounts ? "its owner" : "root";
  testUnless(
    mountObstacle(ownerMounts ? "ordinary user" : "us"),
    `mounted by ${who}: every member lists a process that its owner may signal, until unmount [FR-716]`,
    async () => {
      await using scene = await open(ownerMounts);
      const before = await snapshot(scene.catalogDir);
      await using mount = await scene.mount("TOTL9E");
      assert.match(mount.printed.stderr, /delete and merge of TOTL9E/);
      assert.deepEqual(lockFiles(scene), CHAIN.map((id) => `${id}/backup_ro.pid`));
      const pid = listedPid(scene);
      assert.equal(Deno.statSync(`/proc/${pid}`).uid, scene.owner.uid);
      const list = Deno.statSync(`${backupDir(scene, "TOTL93")}/backup_ro.pid`);
      assert.equal(list.uid, scene.owner.uid);
      if (ownerMounts) {
        assert.match(Deno.readTextFileSync(`/proc/${pid}/cmdline`), /_daemon/);
      }
      await mount.unmount();
      assert.deepEqual(lockFiles(scene), []);
      assert(await waitUntil(() => !isAlive(pid)), `process ${pid} ends`);
      assert.deepEqual(await snapshot(scene.catalogDir), before);
    },
  );
}

testUnless(
  mountObstacle(),
  "a process that has a backup to itself is waited for, and named [FR-716]",
  async () => {
    await using scene = await open();
    const holder = sleeper();
    const lock = `${backupDir(scene, "TOTL9E")}/backup.pid`;
    Deno.writeTextFileSync(lock, `${holder.pid}\n`);
    const args = mountArguments(scene.mountOptions("TOTL9E"));
    try {
      const { code, stderr } = await runCli([...args, "--wait", "0.5"]);
      assert.equal(code, CODES.StoreLocked.exitCode, stderr);
      assert.match(stderr, new RegExp(`TOTL9E is locked by process ${holder.pid}`));
      assert.deepEqual(lockFiles(scene), ["TOTL9E/backup.pid"]);
      assert.throws(() => Deno.statSync(scene.diffDir), Deno.errors.NotFound);
      const patient = runCli(args);
      // The diff is taken before the backups; after five seconds of waiting for them it is told.
      assert(await waitUntil(() => readOwner(scene.diffDir) !== undefined));
      await new Promise((resolve) => setTimeout(resolve, 7_000));
      await end(holder);
      const outcome = await patient;
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.match(outcome.stderr, new RegExp(`waiting for process ${holder.pid}`));
    } finally {
      await end(holder).catch(() => {});
      await runCli(["unmount", "-D", scene.mountDir]);
    }
    assert.deepEqual(lockFiles(scene), []);
  },
);

testUnless(
  mountObstacle(),
  "unmount does not wait for a process that waits for the mount [FR-716]",
  async () => {
    await using scene = await open();
    const holder = sleeper();
    try {
      await using mount = await scene.mount("TOTL9E");
      const pid = listedPid(scene);
      for (const id of CHAIN) {
        Deno.writeTextFileSync(`${backupDir(scene, id)}/backup.pid`, `${holder.pid}\n`);
      }
      await mount.unmount();
      assert(await waitUntil(() => !isAlive(pid)), "whom it waits for is gone");
    } finally {
      await end(holder);
    }
  },
);

testUnless(
  mountObstacle(),
  "what a crash leaves in the lists, the next mount drops [FR-716]",
  async () => {
    await using scene = await open();
    await scene.mount("TOTL9E", { restart: false });
    const stale = listedPid(scene);
    Deno.kill(ownerOf(scene.diffDir).pid, "SIGKILL");
    assert(await waitUntil(() => !isAlive(stale)), "the process in the list ends with the daemon");
    assert.equal((await runCli(["unmount", "-d", scene.diffDir])).code, 0);
    await using mount = await scene.mount("TOTL9E");
    assert.notEqual(listedPid(scene), stale);
    await mount.unmount();
    assert.deepEqual(lockFiles(scene), []);
  },
);

/** Reads go on until the chain changes, fail then, and go on when it is as it was. */
async function mustWatch(scene: Scene, mountDir: string): Promise<void> {
  assert.equal(Deno.readTextFileSync(`${mountDir}/PG_VERSION`), "15\n");
  const control = `${backupDir(scene, "TOTL93")}/backup.control`;
  const text = Deno.readTextFileSync(control);
  replace(control, text.replace(/^status = .*/m, "status = DELETING"));
  const log = () => Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`);
  assert(await waitUntil(() => /TOTL93 is DELETING now/.test(log())), log());
  assert.throws(() => Deno.readFileSync(`${mountDir}/global/1262`), /[Ii]nput.output error/);
  Deno.writeTextFileSync(`${mountDir}/own`, "what is in the diff can still be written and read");
  replace(control, text);
  assert(await waitUntil(() => /are as they were/.test(log())), log());
  assert.equal(Deno.readFileSync(`${mountDir}/global/1262`).length % 8192, 0);
}

/** By rename, as pg_probackup does. */
function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.tmp`, text);
  Deno.renameSync(`${path}.tmp`, path);
}

testUnless(
  mountObstacle(),
  "with --no-store-lock nothing in the catalog is touched [FR-717]",
  async () => {
    await using scene = await open();
    const before = await snapshot(scene.catalogDir, { locks: true });
    await using mount = await scene.mount("TOTL9E", { extra: ["--no-store-lock"] });
    assert.match(mount.printed.stderr, /not locked, only watched \(--no-store-lock\)/);
    Deno.readFileSync(`${mount.mountDir}/global/pg_control`);
    assert.deepEqual(await snapshot(scene.catalogDir, { locks: true }), before);
    await mount.unmount();
    assert.deepEqual(await snapshot(scene.catalogDir, { locks: true }), before);
  },
);

testUnless(
  mountObstacle(),
  "without locks, reads fail clearly once a backup is being deleted [FR-717]",
  async () => {
    await using scene = await open();
    await using mount = await scene.mount("TOTL9E", { extra: ["--no-store-lock"] });
    await mustWatch(scene, mount.mountDir);
  },
);

testUnless(
  mountObstacle("ordinary user"),
  "a catalog that we may not write to is watched instead, and that is said once [FR-717]",
  async () => {
    await using scene = await open(true);
    for (const id of CHAIN) Deno.chmodSync(backupDir(scene, id), 0o500);
    await using mount = await scene.mount("TOTL9E");
    assert.match(mount.printed.stderr, /only watched \(.*EACCES/);
    for (const id of CHAIN) Deno.chmodSync(backupDir(scene, id), 0o700);
    assert.deepEqual(lockFiles(scene), []);
    if (isRoot()) await mount.unmount(); // As root we could not look into it.
    else await mustWatch(scene, mount.mountDir);
  },
);

testUnless(
  mountObstacle() ?? (isRoot() ? undefined : "only root may make a file system read-only"),
  "a catalog on a file system that is read-only can be mounted [FR-717]",
  async () => {
    await using scene = await open();
    const cli = `${Deno.execPath()} run -A ${new URL("../cli.ts", import.meta.url).pathname}`;
    const script = `
      mount --bind "$CATALOG" "$CATALOG"
      mount -o remount,bind,ro "$CATALOG"
      ${cli} ${mountArguments(scene.mountOptions("TOTL9E")).join(" ")}
      cat "$MOUNT/PG_VERSION"
      ${cli} unmount -D "$MOUNT"`;
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "private", "sh", "-ec", script],
      env: { CATALOG: scene.catalogDir, MOUNT: scene.mountDir, NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert(success, said);
    assert.equal(new TextDecoder().decode(stdout), "15\n");
    assert.match(said, /only watched \(.*EROFS/);
  },
);

testUnless(
  mountObstacle(),
  "a lock that cannot be read is refused, and says what helps [FR-718]",
  async () => {
    await using scene = await open();
    Deno.mkdirSync(`${backupDir(scene, "TOTL93")}/backup_ro.pid`);
    const { code, stderr } = await runCli(mountArguments(scene.mountOptions("TOTL9E")));
    assert.equal(code, CODES.CatalogUnreadable.exitCode, stderr);
    assert.match(stderr, /backup_ro\.pid[^]*--no-store-lock/);
    assert.deepEqual(fuseMounts(scene.dirPath), []);
    assert.throws(() => Deno.statSync(scene.diffDir), Deno.errors.NotFound);
  },
);
