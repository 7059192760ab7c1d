/** With each fast path left out, a mount does the same. `deno task test:without` tries much more. */

import assert from "node:assert/strict";
import { FAST_PATHS, fastPathsWanted } from "../daemon/fast_paths.ts";
import { findMount } from "../daemon/mount_table.ts";
import { runCli } from "./support/cli.ts";
import { waitUntil } from "./support/daemon_process.ts";
import { liveOn, type Sample } from "./support/live_on.ts";
import { CHAIN, sampleObstacle } from "./support/samples.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const SAMPLE: Sample = { ...CHAIN, rows: CHAIN.backupId };

for (const name of Object.keys(FAST_PATHS)) {
  testUnless(
    sampleObstacle(),
    `without ${name}: a server answers, writes, and finds it again after a remount [FR-820]`,
    async () => {
      await using scene = await Scene.open({ ...CHAIN, owner: ordinaryUser() });
      await liveOn(scene, SAMPLE, { env: { PBKFS_WITHOUT: name } });
    },
  );
}

Deno.test("all fast paths are in use but those named [FR-820]", () => {
  const wanted = (value?: string) => [...fastPathsWanted({ get: () => value })];
  const all = Object.keys(FAST_PATHS);
  assert.deepEqual(wanted(), all);
  assert.deepEqual(wanted(""), all);
  assert.deepEqual(wanted(" spin,read_ahead "), all.filter((name) => !/spin|ahead/.test(name)));
  assert.deepEqual(wanted(all.join()), []);
});

testUnless(
  mountObstacle(),
  "a fast path that there is not is refused, and nothing is left behind [FR-820]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const { catalogDir, diffDir, mountDir } = scene;
    const args = ["mount", "-B", catalogDir, "-d", diffDir, "-D", mountDir];
    const { code, stderr } = await runCli(args, { env: { PBKFS_WITHOUT: "spin,caches" } });
    assert.equal(code, 2);
    assert.match(stderr, /PBKFS_WITHOUT names "caches"/);
    assert.throws(() => Deno.statSync(diffDir), Deno.errors.NotFound);
  },
);

/** The kernel's settings of a mount, which root can change where `/sys` is not read-only. */
function readAheadObstacle(): string | undefined {
  if (!isRoot()) return "only root may set how far ahead the kernel reads";
  const [, , , , , options = ""] = Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
    .find((line) => line.split(" ")[4] === "/sys")?.split(" ") ?? [];
  return options.split(",").includes("rw") ? undefined : "/sys cannot be written to";
}

testUnless(
  mountObstacle() ?? readAheadObstacle(),
  "the kernel reads four megabytes ahead, or as far as it does by itself [FR-822]",
  async () => {
    await using scene = await Scene.open({ ...CHAIN, owner: ordinaryUser() });
    const readAheadKib = () => {
      const device = findMount(scene.mountDir)?.device;
      return Number(Deno.readTextFileSync(`/sys/class/bdi/${device}/read_ahead_kb`));
    };
    {
      await using mount = await scene.mount(CHAIN.backupId);
      assert(await waitUntil(() => readAheadKib() === 4096), `${readAheadKib()} KiB`);
      await mount.unmount();
    }
    await using _mount = await scene.mount(undefined, { env: { PBKFS_WITHOUT: "read_ahead" } });
    assert(readAheadKib() < 4096);
  },
);
