/** Every restorable backup of every sample: a server runs on the mount, and what it writes stays. */

import assert from "node:assert/strict";
import type { FixtureName } from "./support/fixtures.ts";
import { liveOn, type Sample } from "./support/live_on.ts";
import { CHAIN, NEWEST, sampleObstacle } from "./support/samples.ts";
import { answerOf, Scene } from "./support/scene.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const SAMPLES: readonly Sample[] = [
  ...samplesOf("zlib-chain", ["TOTL93", "TOTL9E", "TOTL9J", "TOTL9U"]),
  ...samplesOf("mixed-compression", ["TOTLAD", "TOTLAP", "TOTLAT", "TOTLB5"]),
  // Their WAL is not in the backup. The mount holds as much of it as makes the backup consistent.
  ...samplesOf("archive-wal", ["TOTLG0", "TOTLG5", "TOTLGD", "TOTLGG"], ".immediate"),
  ...samplesOf("damaged", ["TOTLDZ", "TOTLEQ"]),
  ...samplesOf(
    "pg17-chain",
    ["TOTLQ7", "TOTLQI", "TOTLQN", "TOTLQZ", "TOTLRA", "TOTLRH", "TOTLRS"],
    "",
    17,
  ),
];

function samplesOf(
  fixture: FixtureName,
  backupIds: readonly string[],
  suffix = "",
  majorVersion = 15,
): Sample[] {
  return backupIds.map((backupId) => ({
    fixture,
    backupId,
    rows: `${backupId}${suffix}`,
    majorVersion,
  }));
}

for (const sample of SAMPLES) {
  const { fixture, backupId, majorVersion } = sample;
  testUnless(
    mountObstacle() ?? serverObstacle(majorVersion),
    `${fixture} ${backupId}: a server answers, writes, and finds it again after a remount [FR-310]`,
    async () => {
      await using scene = await Scene.open({ fixture, owner: ordinaryUser(), majorVersion });
      await liveOn(scene, sample);
    },
  );
}

/** The longest chain of each kind, for what need not be tried with all. */
const LONGEST = ["TOTL9U", "TOTLGG", "TOTLRS"];

for (const sample of SAMPLES.filter(({ backupId }) => LONGEST.includes(backupId))) {
  const { fixture, majorVersion } = sample;
  testUnless(
    mountObstacle() ?? serverObstacle(majorVersion),
    `${fixture} with --wal inside: the same, with pg_wal a directory of the mount [FR-311]`,
    async () => {
      await using scene = await Scene.open({ fixture, owner: ordinaryUser(), majorVersion });
      {
        await using mount = await scene.mount(sample.backupId, { extra: ["--wal", "inside"] });
        assert(Deno.lstatSync(`${mount.mountDir}/pg_wal`).isDirectory);
      }
      await Deno.remove(scene.diffDir, { recursive: true });
      await liveOn(scene, sample, { extra: ["--wal", "inside"] });
    },
  );

  testUnless(
    mountObstacle("ordinary user") ?? serverObstacle(majorVersion),
    `${fixture} as an ordinary user, through fusermount3: the same [FR-330]`,
    async () => {
      const options = { owner: ordinaryUser(), ownerMounts: true };
      await using scene = await Scene.open({ fixture, majorVersion, ...options });
      await liveOn(scene, sample);
    },
  );
}

testUnless(
  sampleObstacle(),
  "without -I and -i the newest restorable backup of the only instance is mounted [FR-312]",
  async () => {
    await using scene = await Scene.open({ ...NEWEST, owner: ordinaryUser() });
    await using _mount = await scene.mount();
    await using server = await scene.startServer();
    assert.deepEqual(await answerOf(server), scene.recordedRows(NEWEST.backupId));
  },
);

testUnless(
  sampleObstacle(),
  "pg_wal is a link to an ordinary directory in the diff, and all belongs to the server's user [FR-313]",
  async () => {
    const owner = ordinaryUser();
    await using scene = await Scene.open({ ...CHAIN, owner });
    await using mount = await scene.mount(CHAIN.backupId);
    const walDir = Deno.realPathSync(`${mount.mountDir}/pg_wal`);
    assert(walDir.startsWith(`${scene.diffDir}/`), `${walDir} is in the diff`);
    for (const path of ["", "/global/pg_control", "/base", "/pg_wal/"]) {
      const { uid, gid } = Deno.statSync(mount.mountDir + path);
      assert.deepEqual({ uid, gid }, owner, `owner of ${path}`);
    }
    assert.equal((Deno.statSync(mount.mountDir).mode ?? 0) & 0o777, 0o700);
  },
);
