/** With each fast path left out, a mount does the same. `deno task test:without` tries much more. */

import assert from "node:assert/strict";
import { FAST_PATHS, fastPathsWanted } from "../daemon/fast_paths.ts";
import { runCli } from "./support/cli.ts";
import { liveOn, type Sample } from "./support/live_on.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const SAMPLE: Sample = {
  ...{ fixture: "zlib-chain", backupId: "TOTL9U", rows: "TOTL9U", majorVersion: 15 },
};

for (const name of Object.keys(FAST_PATHS)) {
  testUnless(
    mountObstacle() ?? serverObstacle(15),
    `FR-820 without ${name}: a server answers, writes, and finds it again after a remount`,
    async () => {
      await using scene = await Scene.open({ fixture: SAMPLE.fixture, owner: ordinaryUser() });
      await liveOn(scene, SAMPLE, { env: { PBKFS_WITHOUT: name } });
    },
  );
}

Deno.test("FR-820 all fast paths are in use but those named", () => {
  const wanted = (value?: string) => [...fastPathsWanted({ get: () => value })];
  const all = Object.keys(FAST_PATHS);
  assert.deepEqual(wanted(), all);
  assert.deepEqual(wanted(""), all);
  assert.deepEqual(wanted(" spin,read_ahead "), all.filter((name) => !/spin|ahead/.test(name)));
  assert.deepEqual(wanted(all.join()), []);
});

testUnless(
  mountObstacle(),
  "FR-820 a fast path that there is not is refused, and nothing is left behind",
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
