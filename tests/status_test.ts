/** `pbkfs status`: what is mounted on a host, well or not. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { parseDocument } from "./support/schema.ts";
import { CHAIN, sampleObstacle } from "./support/samples.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";
import { ordinaryUser } from "./support/users.ts";

const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });

/** The document of all mounts, and in it the mount of a scene; others may be on this machine. */
async function mountIn({ mountDir }: Scene, ...more: string[]) {
  const { code, stdout, stderr } = await runCli(["status", "--json", ...more]);
  assert.equal(code, 0, stderr);
  const document = JSON.parse(stdout);
  const own = document.mounts.filter((one: { mountPath: string }) => one.mountPath === mountDir);
  return parseDocument("status", JSON.stringify({ ...document, mounts: own })).mounts[0];
}

testUnless(
  mountObstacle(),
  "status tells what a mount is and has done, as its schema says [FR-753]",
  async () => {
    await using scene = await open();
    assert.equal(await mountIn(scene), undefined);
    const before = Date.now();
    await using _mount = await scene.mount("TOTL9U");
    Deno.readTextFileSync(`${scene.mountDir}/postgresql.conf`);
    Deno.writeTextFileSync(`${scene.mountDir}/new`, "x".repeat(100_000));
    const file = Deno.openSync(`${scene.mountDir}/new`);
    file.syncSync();
    file.close();
    const mount = await mountIn(scene);
    assert.deepEqual(
      [mount.state, mount.backupId, mount.instance, mount.serverVersion, mount.diffPath],
      ["serving", "TOTL9U", "main", "15", scene.diffDir],
    );
    assert(Date.parse(mount.mountedAt) >= before - 1000);
    assert.equal(mount.counters.writtenBytes, 100_000);
    assert.equal(mount.counters.syncs, mount.latencies.sync.count);
    assert.equal(mount.counters.reads, mount.latencies.read.count);
    assert(mount.diff.dataBytes >= 100_000);
    assert(mount.latencies.write.p99Micros > 0);
    assert.deepEqual(mount.server, { state: "none" });
  },
);

testUnless(
  mountObstacle(),
  "status for people has a line a mount; of one mount, everything [FR-753]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9U");
    const list = await runCli(["status"]);
    assert.match(
      list.stdout,
      /^MOUNT +BACKUP +PG +STATE +SERVER +AGE +DIFF +READS +WRITES +READ P99$/m,
    );
    assert.match(
      list.stdout,
      new RegExp(`^${scene.mountDir} +main/TOTL9U +15 +serving +no server +\\d+ s`, "m"),
    );
    for (const place of [["-D", scene.mountDir], ["-d", scene.diffDir]]) {
      const { code, stdout, stderr } = await runCli(["status", ...place]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^backup +TOTL9U of main$/m);
      assert.match(stdout, /^REQUESTS +COUNT +P50 +P95 +P99 +MAX$/m);
    }
  },
);

testUnless(
  sampleObstacle(),
  "status tells whether a server runs on a mount [FR-755]",
  async () => {
    await using scene = await Scene.open({ ...CHAIN, owner: ordinaryUser() });
    await using _mount = await scene.mount(CHAIN.backupId);
    {
      await using _server = await scene.startServer();
      const { server } = await mountIn(scene);
      assert.equal(server.state, "running");
      assert(server.pid > 0 && server.port > 0);
    }
    assert.deepEqual((await mountIn(scene)).server, { state: "none" });
    Deno.writeTextFileSync(`${scene.mountDir}/postmaster.pid`, "99999999\n/x\n0\n5999\n");
    const stale = (await mountIn(scene)).server;
    assert.deepEqual(stale, { state: "gone", pid: 99999999, port: 5999 });
  },
);

testUnless(
  mountObstacle(),
  "a dead mount is listed as such, and nothing waits for it [FR-753]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9U", { restart: false });
    const { pid } = await mountIn(scene);
    Deno.kill(pid, "SIGKILL");
    await untilGone(pid);
    assert.deepEqual(await mountIn(scene), {
      mountPath: scene.mountDir,
      diffPath: scene.diffDir,
      state: "dead",
    });
    const { stdout } = await runCli(["status"]);
    assert.match(stdout, /dead/);
    assert.match(stdout, new RegExp(`pbkfs unmount -D "${scene.mountDir}"`));
    const one = await runCli(["status", "-D", scene.mountDir]);
    assert.equal(one.code, CODES.NotMounted.exitCode, one.stderr);
  },
);

testUnless(mountObstacle(), "a mount that does not answer is listed as such [FR-753]", async () => {
  await using scene = await open();
  await using _mount = await scene.mount("TOTL9U");
  const { pid } = await mountIn(scene);
  Deno.kill(pid, "SIGSTOP");
  try {
    assert.equal((await mountIn(scene)).state, "silent");
    const one = await runCli(["status", "-D", scene.mountDir]);
    assert.equal(one.code, CODES.MountBusy.exitCode, one.stderr);
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
});

testUnless(
  mountObstacle(),
  "status --watch prints again and again, a line each time with --json [FR-753]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9U");
    const cli = new URL("../cli.ts", import.meta.url).pathname;
    const args = ["run", "-A", cli, "status", "-D", scene.mountDir, "--json", "--watch", "0.1"];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split("\n").length > 3) break;
    }
    child.kill("SIGINT");
    await child.status;
    for (const line of text.split("\n").slice(0, 2)) {
      assert.equal(parseDocument("status", line).mounts[0].state, "serving");
    }
  },
);

Deno.test("status of what is not mounted is refused [FR-753]", async () => {
  await using dir = TempDir.make();
  for (const place of [["-D", dir.path], ["-d", dir.path]]) {
    const { code, stdout } = await runCli(["status", ...place, "--json"]);
    assert.equal(code, CODES.NotMounted.exitCode);
    assert.equal(stdout, "");
  }
});

async function untilGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      if (/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
