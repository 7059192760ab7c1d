/** Root's commands are told where to go by the owner of a catalog and a diff: they do not follow. */

import assert from "node:assert/strict";
import { CODES } from "../../errors.ts";
import { runCli } from "../support/cli.ts";
import { crash } from "../support/daemon_process.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { isMounted } from "../support/mounts.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { giveTo, TempDir } from "../support/temp_dir.ts";
import { commandAs, isRoot, ordinaryUser } from "../support/users.ts";
import { Rooted } from "./_rooted.ts";

const onlyRoot = isRoot() ? undefined : "only root works for others";
const obstacle = mountObstacle() ?? onlyRoot;
const BACKUP = "TOTL9U";
const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
const REFUSED = CODES.PermissionDenied.exitCode;

/** Runs something as the owner of a scene. */
async function asOwner({ owner, dirPath }: Scene, ...command: string[]): Promise<void> {
  const [program = "", ...args] = commandAs(owner, command);
  const { success, stderr } = await new Deno.Command(program, { args, cwd: dirPath }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** An empty directory of root's: a program may look there for its settings. */
function emptyOf(rooted: Rooted): string {
  const path = `${rooted.dirPath}.d`;
  Deno.mkdirSync(path, { mode: 0o755 });
  return path;
}

function mustBeRoots(path: string): void {
  const { uid, mode } = Deno.lstatSync(path);
  assert.deepEqual([uid, (mode ?? 0) & 0o7777], [0, 0o755]);
  assert.deepEqual([...Deno.readDirSync(path)], []);
  assert(!isMounted(path));
}

testUnless(
  obstacle,
  "a link that the owner laid where a mount or its diff goes does not lead root to root's directory [FR-855]",
  async () => {
    await using scene = await open();
    await using rooted = new Rooted();
    const target = emptyOf(rooted);
    await asOwner(scene, "ln", "-s", target, `${scene.dirPath}/link`);
    const link = `${scene.dirPath}/link`;
    for (const place of [{ mountDir: link }, { diffDir: link }, { diffDir: `${link}/new` }]) {
      const args = mountArguments({ ...scene.mountOptions(BACKUP), ...place });
      const { code, stderr } = await runCli(args);
      assert.equal(code, REFUSED, stderr);
      assert.match(stderr, /leads through a symbolic link of user/);
      mustBeRoots(target);
    }
    const { code } = await runCli(["cleanup", "-d", link, "--yes"]);
    assert.equal(code, REFUSED);
    mustBeRoots(target);
  },
);

testUnless(
  obstacle,
  "a diff names the mount directory for root only if that is its owner's [FR-855]",
  async () => {
    await using scene = await open();
    await using rooted = new Rooted();
    const target = emptyOf(rooted);
    {
      await using _mount = await scene.mount(BACKUP);
    }
    const path = `${scene.diffDir}/.pbkfs-binding.json`;
    const binding = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, binding.replaceAll(scene.mountDir, target));
    const refused = await runCli(["mount", "-d", scene.diffDir]);
    assert.equal(refused.code, REFUSED, refused.stderr);
    assert.match(refused.stderr, /-D/);
    mustBeRoots(target);
    Deno.writeTextFileSync(path, binding);
    const { code, stderr } = await runCli(["mount", "-d", scene.diffDir]);
    assert.equal(code, 0, stderr);
    assert.equal((await runCli(["unmount", "-d", scene.diffDir])).code, 0);
  },
);

testUnless(
  obstacle,
  "root removes no directory of its own because a diff says that it was made for the mount [FR-855]",
  async () => {
    await using scene = await open();
    await using rooted = new Rooted();
    const target = emptyOf(rooted);
    Deno.chmodSync(rooted.dirPath, 0o755);
    for (const end of ["unmount", "SIGKILL"] as const) {
      await using mount = await scene.mount(BACKUP, { mountDir: target, restart: false });
      const note = `${scene.diffDir}/.pbkfs-mount-directory`;
      await asOwner(scene, "sh", "-c", `printf %s '${target}' > ${note}`);
      if (end === "SIGKILL") await crash(scene.diffDir);
      await mount.unmount();
      mustBeRoots(target);
    }
  },
);

testUnless(
  onlyRoot,
  "root runs pg_probackup as the owner of the catalog, with nothing of root's [FR-856]",
  async () => {
    await using scene = await open();
    await using dir = TempDir.make(scene.owner);
    const program = `${dir.path}/pg_probackup`;
    Deno.writeTextFileSync(
      program,
      `#!/bin/sh\n{ id -u; id -G; pwd; env; } >${dir.path}/told\nexit 1\n`,
      { mode: 0o755 },
    );
    await runCli(["show", "-B", scene.catalogDir, "--pg-probackup", program], {
      env: { PGPASSWORD: "secret", LC_ALL: "C" },
    });
    const { uid, gid } = scene.owner;
    const told = Deno.readTextFileSync(`${dir.path}/told`);
    assert(told.startsWith(`${uid}\n${gid}\n/\n`), told);
    assert.match(told, /^LC_ALL=C$/m);
    assert.doesNotMatch(told, /PGPASSWORD|^HOME=/m);
  },
);

testUnless(
  obstacle,
  "a backup of root's in somebody else's catalog is not mounted [FR-856]",
  async () => {
    await using scene = await open();
    const backupDir = `${scene.catalogDir}/backups/main/${BACKUP}`;
    await giveTo({ uid: 0, gid: 0 }, backupDir);
    const refused = await runCli(mountArguments(scene.mountOptions(BACKUP)));
    assert.equal(refused.code, REFUSED, refused.stderr);
    assert.match(refused.stderr, /belongs to root/);
  },
);

/** What a mount could answer, of somebody who would like to see another one unmounted. */
function liar(path: string, victim: { readonly path: string; readonly device: string }) {
  const listener = Deno.listen({ transport: "unix", path });
  const answers = {
    status: { status: { mountPath: victim.path, device: "0:999999", isDetached: true } },
    unmount: { kept: { pid: Deno.pid, device: victim.device } },
    sync: { synced: true },
    end: { unmounted: true, pid: Deno.pid },
  };
  const asked: string[] = [];
  const serve = async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(4096);
      const size = await connection.read(buffer) ?? 0;
      const { operation } = JSON.parse(new TextDecoder().decode(buffer.subarray(0, size)));
      asked.push(operation);
      const answer = JSON.stringify(answers[operation as keyof typeof answers]);
      await connection.write(new TextEncoder().encode(`${answer}\n`));
      connection.close();
    }
  };
  const serving = serve();
  return {
    asked,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

testUnless(
  obstacle,
  "unmount as root unmounts what the kernel calls a mount of the diff, and nothing else [FR-857]",
  async () => {
    await using scene = await open();
    const victim = `${scene.dirPath}/victim`;
    Deno.mkdirSync(victim);
    Deno.mkdirSync(scene.diffDir);
    const run = (program: string, ...args: string[]) =>
      new Deno.Command(program, { args }).outputSync().success;
    assert(run("mount", "-t", "tmpfs", "pbkfs-test", victim));
    try {
      const line = Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
        .find((one) => one.split(" ")[4] === victim);
      const device = line?.split(" ")[2] ?? "";
      assert.match(device, /^\d+:\d+$/);
      await using told = liar(`${scene.diffDir}/control.sock`, { path: victim, device });
      await runCli(["unmount", "-d", scene.diffDir, "--wait", "1"]);
      await runCli(["unmount", "-d", scene.diffDir, "--wait", "1", "--force"]);
      assert(told.asked.includes("unmount"), told.asked.join());
    } finally {
      assert(run("umount", victim), "it was mounted all the time");
    }
  },
);

testUnless(
  onlyRoot,
  "a link in the place of the control socket leads root to nobody [FR-857]",
  async () => {
    await using scene = await open();
    Deno.mkdirSync(scene.diffDir);
    const path = `${scene.dirPath}/elsewhere.sock`;
    await using told = liar(path, { path: "/", device: "0:1" });
    Deno.symlinkSync(path, `${scene.diffDir}/control.sock`);
    await runCli(["unmount", "-d", scene.diffDir, "--wait", "1"]);
    assert.deepEqual(told.asked, []);
  },
);
