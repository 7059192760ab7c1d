/** Whoever connects to a mount does not stop it. */

import assert from "node:assert/strict";
import { isAlive } from "../../binding/mod.ts";
import { runCli } from "../support/cli.ts";
import { ownerOf } from "../support/daemon_process.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { CODES } from "../../errors.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { checkoutFor } from "../support/checkout.ts";
import { commandAs, isRoot, ordinaryUser } from "../support/users.ts";
import { readTree, whileWorking } from "./_load.ts";
import { strangerOn } from "./_strangers.ts";

/** What a mount needs on a machine with many processors, and little more. */
const DESCRIPTORS = 200;
const CONNECTIONS = 2000;

const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

testUnless(
  mountObstacle(),
  "strangers on the metrics port do not stop a mount under load, nor Prometheus [FR-830]",
  async () => {
    await using scene = await open();
    const port = freePort();
    const metrics = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`);
      assert.equal(response.status, 200);
      assert.match(await response.text(), /pbkfs_mount_info/);
    };
    await using mount = await scene.mount("TOTL9U", {
      extra: ["--metrics", `${port}`],
      descriptorsMax: DESCRIPTORS,
    });
    const { pid } = ownerOf(scene.diffDir);
    await whileWorking(scene.mountDir, async () => {
      const user = ordinaryUser();
      await using _one = await strangerOn(port, { user, connections: CONNECTIONS });
      await metrics();
      await using _two = await strangerOn(port, { user, connections: CONNECTIONS });
      await metrics();
      const { stdout } = await runCli(["status", "-D", scene.mountDir, "--json"]);
      assert.equal(JSON.parse(stdout).mounts[0].state, "serving");
    });
    const files = await readTree(scene.mountDir);
    assert(files > 900, `${files} files`);
    assert(isAlive(pid));
    await metrics();
    const connections = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
    assert(connections < DESCRIPTORS, `${connections} descriptors`);
    await mount.unmount();
  },
);

testUnless(
  mountObstacle(),
  "who connects to the control socket and asks nothing does not make a mount silent [FR-830]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9U", { descriptorsMax: DESCRIPTORS });
    const path = `${scene.diffDir}/control.sock`;
    const idle: Deno.UnixConn[] = [];
    try {
      for (let count = 0; count < 300; count++) {
        const connection = await Deno.connect({ transport: "unix", path });
        if (count % 3 === 1) await connection.write(new Uint8Array(3000)).catch(() => {});
        idle.push(connection);
      }
      const { stdout } = await runCli(["status", "-D", scene.mountDir, "--json"]);
      assert.equal(JSON.parse(stdout).mounts[0].state, "serving");
    } finally {
      for (const connection of idle) connection.close();
    }
  },
);

const notRoot = isRoot() ? undefined : "only root can be another user than the owner";

testUnless(
  mountObstacle() ?? notRoot,
  "nobody but the owner and root can connect to the control socket [FR-831]",
  async () => {
    await using scene = await open();
    await using _mount = await scene.mount("TOTL9U");
    const path = `${scene.diffDir}/control.sock`;
    const connect = `Deno.connect({ transport: "unix", path: "${path}" })`;
    assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o600);
    const nobody = { uid: 65534, gid: 65534 };
    const { code, stderr } = await runEval(connect, nobody);
    assert.notEqual(code, 0);
    assert.match(stderr, /PermissionDenied|Permission denied/);
    assert.equal((await runEval(`(await ${connect}).close()`, { uid: 0, gid: 0 })).code, 0);
  },
);

for (const limit of [24, 64]) {
  testUnless(
    mountObstacle(),
    `with ${limit} descriptors a mount is refused with a status of its own [FR-832]`,
    async () => {
      await using scene = await open();
      const args = mountArguments(scene.mountOptions("TOTL9U"));
      const { code, stderr } = await runCli(args, { descriptorsMax: limit });
      assert.equal(code, CODES.LimitTooLow.exitCode, stderr);
      assert.match(stderr, /files open.*\n.*ulimit -n/);
      assert(![...Deno.readDirSync(scene.dirPath)].some(({ name }) => name === "diff"));
    },
  );
}

async function runEval(script: string, user: { uid: number; gid: number }) {
  const { denoPath, denoDir } = await checkoutFor(user);
  const [program = "", ...args] = commandAs(user, [denoPath, "eval", script]);
  const env = denoDir === undefined ? {} : { DENO_DIR: denoDir, HOME: "/" };
  const output = await new Deno.Command(program, { args, cwd: "/", env }).output();
  return { code: output.code, stderr: new TextDecoder().decode(output.stderr) };
}
