/** Mounts of ordinary users on a machine without /etc/mtab, in which fusermount3 looks. */

import assert from "node:assert/strict";
import { isAlive, readOwner } from "../binding/mod.ts";
import { CODES } from "../errors.ts";
import { checkoutFor } from "./support/checkout.ts";
import { crash, ownerOf, waitUntil } from "./support/daemon_process.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { Namespace, namespaceObstacle } from "./support/namespace.ts";
import { killHard } from "./support/processes.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { commandAs, isRoot, ordinaryUser } from "./support/users.ts";

/** A mount namespace in which the place of /etc is taken by a copy without mtab. */
async function withoutMtab(dirPath: string): Promise<Namespace> {
  const etc = `${dirPath}/etc`;
  const { success } = await new Deno.Command("cp", { args: ["-a", "/etc", etc] }).output();
  assert(success);
  await Deno.remove(`${etc}/mtab`).catch(() => {}); // As on a machine that has none.
  const namespace = await Namespace.open();
  await namespace.run(["mount", "--bind", etc, "/etc"]);
  return namespace;
}

/** Kills what a test that failed leaves running in its namespace. */
function endingAll(diffDir: string): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      const owner = readOwner(diffDir);
      const pids = [owner?.guardian, owner?.pid].filter((pid) => pid !== undefined);
      await killHard(pids.filter(isAlive));
    },
  };
}

testUnless(
  (isRoot() ? undefined : "only root can hide /etc/mtab") ?? mountObstacle("ordinary user") ??
    namespaceObstacle(),
  "without /etc/mtab, an ordinary user's mount is unmounted in every way [FR-904]",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ fixture: "zlib-chain", owner, ownerMounts: true });
    await using _daemon = endingAll(scene.diffDir);
    await using namespace = await withoutMtab(scene.dirPath);
    const { dirPath, denoPath, denoDir } = await checkoutFor(owner);
    const env = ["env", `DENO_DIR=${denoDir}`, `HOME=${dirPath}`, "DENO_NO_UPDATE_CHECK=1"];
    const command = [...env, denoPath, "run", "-A", `${dirPath}/cli.ts`];
    const run = (...words: string[]) => namespace.run(commandAs(owner, words));
    const pbkfs = (...args: string[]) => run(...command, ...args);
    const isMounted = () => namespace.devicesAt(scene.mountDir).length > 0;
    const { mountDir, diffDir } = scene;
    const mount = async (...extra: string[]) => {
      await pbkfs(...mountArguments(scene.mountOptions("TOTL9U", { extra })));
      assert(isMounted());
    };

    await mount();
    const inside = `cd "$1" && shift && "$@"; test $? = ${CODES.MountBusy.exitCode}`;
    await run("sh", "-c", inside, "sh", mountDir, ...command, "unmount", "-D", mountDir);
    assert(isMounted(), "in use");
    await pbkfs("unmount", "-D", mountDir);
    assert(!isMounted(), "unmounted");

    await mount();
    const { pid } = ownerOf(diffDir);
    Deno.kill(pid, "SIGTERM");
    assert(await waitUntil(() => !isAlive(pid) && !isMounted()), "unmounted by a signal");

    await mount("--no-restart");
    await crash(diffDir);
    assert(isMounted(), "dead, but there");
    await pbkfs("unmount", "-D", mountDir);
    assert(!isMounted(), "the dead mount is taken away");
  },
);
