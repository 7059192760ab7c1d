/** The behaviours, on a plain directory first, so that we test pbkfs and not our own mistakes. */

import assert from "node:assert/strict";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { TempDir } from "../support/temp_dir.ts";
import { type Identity, isRoot, ordinaryUser } from "../support/users.ts";
import { CONTENT_BEHAVIOURS } from "./contents.ts";
import { NAME_BEHAVIOURS } from "./names.ts";
import { fill, Place } from "./place.ts";
import { OWNER_BEHAVIOURS, STATUS_BEHAVIOURS } from "./status.ts";
import { treeOf } from "./tree.ts";

const BEHAVIOURS = {
  ...NAME_BEHAVIOURS,
  ...CONTENT_BEHAVIOURS,
  ...STATUS_BEHAVIOURS,
  ...(isRoot() ? OWNER_BEHAVIOURS : {}),
};

/** How many untouched directories the behaviours take between them, with some to spare. */
const BASES = 40;

/** Somebody without privileges, if we have some. */
function somebody(): Identity | undefined {
  if (!isRoot()) return undefined;
  const user = ordinaryUser();
  return user.uid === 0 ? undefined : user;
}

/** Files of many sizes, in directories that the behaviours may take. */
function makeBases(dirPath: string): string[] {
  return Array.from({ length: BASES }, (_, n) => {
    const base = `${dirPath}/base ${n}`;
    Deno.mkdirSync(base);
    [[40_960, 1], [8192, 2], [100_001, 3], [3, 4], [0, 5]].forEach(([size = 0, salt]) => {
      Deno.writeFileSync(`${base}/file of ${size}`, fill(size, salt));
    });
    return base;
  });
}

Deno.test("a plain directory behaves as the suite expects [FR-430]", async (test) => {
  await using dir = await TempDir.make();
  const bases = makeBases(dir.path);
  let count = 0;
  for (const [name, check] of Object.entries(BEHAVIOURS)) {
    const place = new Place(`${dir.path}/test ${count++}`, bases, somebody());
    await test.step(name, () => check(place));
  }
});

/** A mount that is replaced by another one, with a new diff, when all its directories are taken. */
async function runOnMounts(): Promise<string[]> {
  const failures: string[] = [];
  const left = Object.entries(BEHAVIOURS);
  for (let count = 0; left.length > 0;) {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: { uid: 0, gid: 0 } });
    Deno.chmodSync(scene.dirPath, 0o755);
    await using mount = await scene.mount("TOTL9U");
    Deno.chmodSync(scene.mountDir, 0o755);
    const bases = ["base/1", "base/4", "base/5", "base/16498"].map((p) => `${scene.mountDir}/${p}`);
    while (left.length > 0 && bases.length > 0) {
      const [name, check] = left.shift() as [string, (place: Place) => void];
      try {
        check(new Place(`${scene.mountDir}/test ${count++}`, bases, somebody()));
      } catch (error) {
        failures.push(`${name}: ${(error as Error).stack}`);
      }
    }
    const before = treeOf(scene.mountDir);
    await mount.unmount();
    await using _again = await scene.mount("TOTL9U");
    assert.deepEqual(treeOf(scene.mountDir), before, "after a remount");
  }
  return failures;
}

testUnless(
  mountObstacle(),
  "a mount behaves as a plain directory does, and is the same after a remount [FR-431]",
  async () => assert.deepEqual(await runOnMounts(), []),
);
