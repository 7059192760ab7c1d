/** A disk without any room when a mount begins, and when it ends. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { Scene } from "./support/scene.ts";
import { mountSmallDisk, smallDiskObstacle } from "./support/small_disk.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const { exitCode } = CODES.DiskFull;

/** Takes all there is, to the last block. */
function takeAll(path: string): void {
  using file = Deno.openSync(path, { create: true, append: true });
  const bytes = new Uint8Array(1024).fill(1);
  const name = (error: unknown) => (error as { code?: string }).code;
  assert.throws(() => {
    for (;;) file.writeSync(bytes);
  }, (error) => name(error) === "ENOSPC");
}

testUnless(
  mountObstacle() ?? smallDiskObstacle(),
  "without room an unmount keeps all that was accepted, and a mount is refused and changes nothing [FR-889]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const diskDir = `${scene.dirPath}/small`;
    Deno.mkdirSync(diskDir);
    await using _disk = mountSmallDisk({ dirPath: diskDir, megabytes: 128 });
    const options = (name: string) =>
      scene.mountOptions("TOTL9U", { diffDir: `${diskDir}/${name}` });
    const mount = (name = "diff") => runCli(mountArguments(options(name)));
    const unmount = () => runCli(["unmount", "-D", scene.mountDir]);
    const names = Array.from({ length: 50 }, (_, n) => `new ${n}`);
    try {
      assert.equal((await mount()).code, 0);
      for (const name of names) Deno.writeTextFileSync(`${scene.mountDir}/${name}`, name);
      takeAll(`${diskDir}/ballast`);
      const { code, stderr } = await unmount();
      assert.equal(code, 0, stderr);
      for (const diff of ["diff", "another"]) {
        takeAll(`${diskDir}/ballast`); // The reserve has been given back.
        const refused = await mount(diff);
        assert.equal(refused.code, exitCode, refused.stderr);
        assert.match(refused.stderr, /"[^"]*\/small\/\w+" .*ENOSPC.*\n +Free some space/);
      }
      assert.deepEqual([...Deno.readDirSync(diskDir)].map(({ name }) => name).sort(), [
        ...["ballast", "diff", "lost+found"],
      ]);
      Deno.removeSync(`${diskDir}/ballast`);
      assert.equal((await mount()).code, 0);
      for (const name of names) {
        assert.equal(Deno.readTextFileSync(`${scene.mountDir}/${name}`), name);
      }
    } finally {
      await unmount();
    }
  },
);

testUnless(
  mountObstacle(),
  "an unmount for which there is no room at all says so, and what to do [FR-889]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    for (const [faults, name] of [["commit@1-=ENOSPC", "ENOSPC"], ["fsync@1-=EDQUOT", "EDQUOT"]]) {
      const mounted = await runCli(mountArguments(scene.mountOptions("TOTL9U")), { faults });
      assert.equal(mounted.code, 0, mounted.stderr);
      Deno.writeTextFileSync(`${scene.mountDir}/new`, "new");
      const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
      assert.equal(code, exitCode, stderr);
      assert(stderr.includes(`(${name})`), stderr);
      assert.match(stderr, /may be missing\n +Free some space.*mount again/);
    }
  },
);
