/** Machines that cannot mount, made with mount namespaces: what is missing is said. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, type Obstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const NAMESPACE = ["--mount", "--propagation", "private"];
const obstacle = mountObstacle() ?? namespaceObstacle();

function namespaceObstacle(): Obstacle {
  if (Deno.uid() !== 0) return "only root may hide files of the machine";
  const { success } = new Deno.Command("unshare", { args: [...NAMESPACE, "true"] }).outputSync();
  return success ? undefined : "mount namespaces cannot be made here";
}

/** Mounts in a namespace where the shell commands `hide` have run, and returns how that ended. */
async function mountAfter(hide: string) {
  await using scene = await Scene.open({ fixture: "damaged", owner: ordinaryUser() });
  const cli = new URL("../cli.ts", import.meta.url).pathname;
  const command = [Deno.execPath(), "run", "-A", cli];
  const { code, stderr } = await new Deno.Command("unshare", {
    args: [
      ...[...NAMESPACE, "sh", "-ec", `${hide}; exec "$@"`, "sh"],
      ...[...command, ...mountArguments(scene.mountOptions("TOTLEQ"))],
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const left = [...Deno.readDirSync(scene.dirPath)].map(({ name }) => name);
  assert(!left.includes("diff"), "no diff is left behind");
  return { code, stderr: new TextDecoder().decode(stderr) };
}

testUnless(obstacle, "a machine without /dev/fuse is told so [FR-352]", async () => {
  const devices = "null c 1 3,zero c 1 5,random c 1 8,urandom c 1 9";
  const make = devices.split(",").map((device) => `mknod -m 666 /dev/${device}`);
  const links = "ln -s /proc/self/fd /dev/fd; mkdir /dev/shm";
  const { code, stderr } = await mountAfter(
    ["mount -t tmpfs none /dev", ...make, links].join("; "),
  );
  assert.equal(code, CODES.FuseDeviceMissing.exitCode, stderr);
  assert.match(stderr, /\/dev\/fuse/);
});

testUnless(obstacle, "a machine without libfuse3 is told so [FR-352]", async () => {
  const hide =
    "for f in $(find /usr /lib /lib64 -name 'libfuse3.so.*'); do mount --bind /dev/null $f; done";
  const { code, stderr } = await mountAfter(hide);
  assert.equal(code, CODES.LibraryMissing.exitCode, stderr);
  assert.match(stderr, /libfuse3/);
});
