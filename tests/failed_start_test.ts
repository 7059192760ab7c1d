/** A mount that fails, however late, leaves nothing behind. */

import assert from "node:assert/strict";
import { isAlive, isLocked } from "../binding/mod.ts";
import { type Code, CODES } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { checkoutFor } from "./support/checkout.ts";
import { runCli } from "./support/cli.ts";
import { waitUntil } from "./support/daemon_process.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { fuseMounts } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const obstacle = mountObstacle();

/** A sample of which TOTLGG cannot be mounted: the WAL that it needs is not there. */
async function sceneWithoutWal(ownerMounts = false): Promise<Scene> {
  const scene = await Scene.open({ fixture: "archive-wal", owner: ordinaryUser(), ownerMounts });
  const wal = `${scene.catalogDir}/wal/main`;
  for (const { name } of Deno.readDirSync(wal)) {
    if (/^[0-9A-F]{24}/.test(name)) Deno.removeSync(`${wal}/${name}`);
  }
  return scene;
}

async function mustFail(scene: Scene, code: Code, faults = "") {
  const options = scene.mountOptions("TOTLGG");
  const outcome = await runCli(mountArguments(options), { user: options.user, faults });
  assert.equal(outcome.code, CODES[code].exitCode, outcome.stderr);
  assert.deepEqual(fuseMounts(scene.dirPath), []);
  return outcome.stderr;
}

for (const ownerMounts of isRoot() ? [false, true] : [true]) {
  const who = ownerMounts ? "an ordinary user" : "root";
  testUnless(
    mountObstacle(ownerMounts ? "ordinary user" : "us"),
    `by ${who}: a start that fails removes its diff, its locks and its directory [FR-728]`,
    async () => {
      await using scene = await sceneWithoutWal(ownerMounts);
      const before = await snapshot(scene.catalogDir);
      await mustFail(scene, "WalMissing");
      assert.throws(() => Deno.lstatSync(scene.diffDir), Deno.errors.NotFound);
      mustBeUnlocked(scene);
      assert.deepEqual(await snapshot(scene.catalogDir), before);
    },
  );
}

function mustBeUnlocked({ catalogDir }: Scene): void {
  const found = new Deno.Command("find", { args: [catalogDir, "-name", "backup*.pid*"] });
  assert.equal(new TextDecoder().decode(found.outputSync().stdout), "");
}

testUnless(
  obstacle,
  "an empty directory that was there is empty again, and as it was [FR-728]",
  async () => {
    await using scene = await sceneWithoutWal();
    Deno.mkdirSync(scene.diffDir);
    Deno.chmodSync(scene.diffDir, 0o750);
    const facts = () => {
      const { uid, gid, mode } = Deno.statSync(scene.diffDir);
      return { uid, gid, mode };
    };
    const before = facts();
    await mustFail(scene, "WalMissing");
    assert.deepEqual([...Deno.readDirSync(scene.diffDir)], []);
    assert.deepEqual(facts(), before);
  },
);

testUnless(obstacle, "a start that fails in the thread that serves, too [FR-728]", async () => {
  await using scene = await Scene.open({ fixture: "archive-wal", owner: ordinaryUser() });
  await mustFail(scene, "Io", "open:/database/@1-=EMFILE; open:/data@1-=EMFILE");
  assert.throws(() => Deno.lstatSync(scene.diffDir), Deno.errors.NotFound);
  mustBeUnlocked(scene);
});

testUnless(obstacle, "a known diff stays as it was, and free [FR-728]", async () => {
  await using scene = await Scene.open({ fixture: "archive-wal", owner: ordinaryUser() });
  {
    await using mount = await scene.mount("TOTLGG");
    Deno.writeTextFileSync(`${mount.mountDir}/written`, "kept");
  }
  const store = `${scene.diffDir}/metadata.sqlite`;
  const binding = Deno.readTextFileSync(`${scene.diffDir}/.pbkfs-binding.json`);
  const bytes = Deno.readFileSync(store);
  Deno.writeTextFileSync(store, "this is no database at all, but long enough for one".repeat(20));
  const stderr = await mustFail(scene, "DiffDamaged");
  assert.match(stderr, /metadata\.sqlite/);
  mustBeUnlocked(scene);
  assert.equal(isLocked(scene.diffDir, systemLibc()), false);
  assert.equal(Deno.readTextFileSync(`${scene.diffDir}/.pbkfs-binding.json`), binding);
  const left = [...Deno.readDirSync(scene.diffDir)].map(({ name }) => name);
  assert(!left.includes("control.sock"), left.join());
  Deno.writeFileSync(store, bytes);
  await using mount = await scene.mount("TOTLGG");
  assert.equal(Deno.readTextFileSync(`${mount.mountDir}/written`), "kept");
});

/** `pbkfs mount` while a process has the backup to itself, so that it waits. */
async function whileWaiting(
  scene: Scene,
  body: (command: Deno.ChildProcess, holder: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const holder = new Deno.Command("sleep", { args: ["300"] }).spawn();
  const lock = `${scene.catalogDir}/backups/main/TOTLG0/backup.pid`;
  Deno.writeTextFileSync(lock, `${holder.pid}\n`);
  const { dirPath, denoPath } = await checkoutFor(undefined);
  const args = mountArguments(scene.mountOptions("TOTLG0"));
  const command = new Deno.Command(denoPath, {
    args: ["run", "-A", `${dirPath}/cli.ts`, ...args],
    stderr: "piped",
  }).spawn();
  try {
    assert(await waitUntil(() => daemons(scene).length === 1), "the daemon waits");
    await body(command, holder);
  } finally {
    try {
      holder.kill("SIGKILL");
    } catch {
      // It was ended already.
    }
    await holder.status;
  }
}

/** Processes that have the diff's lock open. */
function daemons(scene: Scene): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return [...Deno.readDirSync(`/proc/${pid}/fd`)].some(({ name }) =>
        Deno.readLinkSync(`/proc/${pid}/fd/${name}`) === `${scene.diffDir}/.pbkfs-lock`
      );
    } catch {
      return false;
    }
  });
}

testUnless(obstacle, "a mount command that is interrupted leaves nothing [FR-729]", async () => {
  await using scene = await Scene.open({ fixture: "archive-wal", owner: ordinaryUser() });
  await whileWaiting(scene, async (command) => {
    const said = new Response(command.stderr).text();
    command.kill("SIGINT");
    const { code } = await command.status;
    assert.equal(code, CODES.MountFailed.exitCode, await said);
    assert.match(await said, /interrupted/);
    assert.deepEqual(daemons(scene), []);
    assert.throws(() => Deno.lstatSync(scene.diffDir), Deno.errors.NotFound);
    assert.deepEqual(fuseMounts(scene.dirPath), []);
  });
  mustHaveOnly(scene, "TOTLG0/backup.pid");
});

function mustHaveOnly({ catalogDir }: Scene, path: string): void {
  const args = [`${catalogDir}/backups/main`, "-name", "backup*.pid*", "-printf", "%P\n"];
  const { stdout } = new Deno.Command("find", { args }).outputSync();
  assert.equal(new TextDecoder().decode(stdout), `${path}\n`);
}

testUnless(
  obstacle,
  "if the command is killed, its daemon does not stay mounted [FR-729]",
  async () => {
    await using scene = await Scene.open({ fixture: "archive-wal", owner: ordinaryUser() });
    await whileWaiting(scene, async (command, holder) => {
      const [pid = 0] = daemons(scene);
      command.kill("SIGKILL");
      await command.status;
      await command.stderr.cancel();
      holder.kill("SIGKILL");
      assert(await waitUntil(() => !isAlive(pid)), "the daemon ends");
      assert.deepEqual(fuseMounts(scene.dirPath), []);
    });
    mustBeUnlocked(scene);
    assert.equal(isLocked(scene.diffDir, systemLibc()), false);
  },
);

testUnless(obstacle, "--wait waits for a diff that is in use, too [FR-729]", async () => {
  await using scene = await Scene.open({ fixture: "archive-wal", owner: ordinaryUser() });
  await using mount = await scene.mount("TOTLG0");
  const other = `${scene.dirPath}/other`;
  Deno.mkdirSync(other);
  const args = ["mount", "-d", scene.diffDir, "-D", other, "--wait"];
  const hasty = await runCli([...args, "0.2"]);
  assert.equal(hasty.code, CODES.DiffInUse.exitCode, hasty.stderr);
  const cli = new URL("../cli.ts", import.meta.url).pathname;
  const patient = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", cli, ...args, "50"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  let unmounted: Promise<void> | undefined;
  for await (const text of patient.stderr.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (/is in use by process/.test(said)) unmounted ??= mount.unmount();
  }
  assert.equal((await patient.status).code, 0, said);
  assert(unmounted !== undefined, said);
  await unmounted;
  assert.equal((await runCli(["unmount", "-D", other])).code, 0);
});
