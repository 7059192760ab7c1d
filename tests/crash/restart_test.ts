/**
 * The process behind a mount dies under a server at work, and is replaced: the server sees errors,
 * is started again as any other, and has all that it acknowledged.
 */

import assert from "node:assert/strict";
import { isAlive } from "../../binding/mod.ts";
import { processesIn } from "../../postgres/mod.ts";
import { nextDaemon, ownerOf, waitUntil } from "../support/daemon_process.ts";
import { fuseMounts } from "../support/mounts.ts";
import { Random } from "../support/random.ts";
import { CHAIN, sampleObstacle } from "../support/samples.ts";
import { Scene } from "../support/scene.ts";
import { testUnless } from "../support/skip.ts";
import { snapshot } from "../support/snapshot.ts";
import { tellingAll } from "../support/suppressed.ts";
import { isRoot, ordinaryUser } from "../support/users.ts";
import { checkServer, Clone } from "./clone.ts";
import { Ledger } from "./ledger.ts";
import { Workload, WRITERS } from "./workload.ts";

const SEED = 30;
/** Of one mount; a third death within a minute would be the last. */
const DEATHS_A_MOUNT = 2;

interface Story {
  readonly ownerMounts: boolean;
  readonly wal: "outside" | "inside";
  /** Whether the server tries to go on by itself after a backend has ended in a PANIC. */
  readonly restartAfterCrash: "on" | "off";
  readonly deaths: number;
}

const STORIES: readonly Story[] = [
  { ownerMounts: !isRoot(), wal: "outside", restartAfterCrash: "off", deaths: 3 },
  { ownerMounts: true, wal: "inside", restartAfterCrash: "on", deaths: 2 },
];

for (const story of STORIES) {
  const { ownerMounts, wal } = story;
  testUnless(
    sampleObstacle(ownerMounts ? "ordinary user" : "us"),
    `pg_wal ${wal}: after a death under load the server starts again, and has all (seed ${SEED}) [FR-775]`,
    () => tellingAll(() => play(story)),
  );
}

async function play({ ownerMounts, wal, restartAfterCrash, deaths }: Story): Promise<void> {
  const owner = ordinaryUser();
  await using scene = await Scene.open({ ...CHAIN, owner, ownerMounts });
  const before = await snapshot(scene.catalogDir);
  await using clone = new Clone({
    ...scene.mountOptions(CHAIN.backupId, { restart: true, extra: ["--wal", wal] }),
    ...{
      owner,
      majorVersion: CHAIN.majorVersion,
      settings: { restart_after_crash: restartAfterCrash },
    },
  });
  const ledger = new Ledger(WRITERS);
  const random = Random.of(SEED, deaths);
  await clone.mount();
  await clone.startServer();
  await ledger.begin(clone.server);
  for (let death = 1; death <= deaths; death++) {
    const workload = new Workload(clone.server, { user: owner, ledger, random });
    try {
      await new Promise((resolve) => setTimeout(resolve, random.between(300, 1500)));
      assert.deepEqual(workload.ended, [], "before the death");
      const processes = processesIn(scene.mountDir);
      clone.memory.note(processes);
      await nextDaemon(scene.diffDir, await die(scene.diffDir, random));
      assert.equal(fuseMounts(scene.dirPath).length, 1);
      await workload.untilOneEnds();
      // It may have ended by itself. It cannot remove its pid file, so pg_ctl calls it a failure.
      await clone.server.stop("immediate").catch(() => {});
      const areGone = () => !processes.some(isAlive);
      assert(await waitUntil(areGone), `the server ends; ${clone.server.logTail()}`);
    } finally {
      await workload.stop();
    }
    await clone.dropServer();
    await clone.startServer();
    await ledger.check(clone.server);
    await checkServer(clone.server);
    if (death % DEATHS_A_MOUNT === 0 || death === deaths) {
      await clone.stop();
      if (death < deaths) await clone.mount();
      if (death < deaths) await clone.startServer();
    }
  }
  assert(ledger.acknowledged > 0);
  assert.deepEqual(fuseMounts(scene.dirPath), []);
  assert.deepEqual(await snapshot(scene.catalogDir), before, "the store is as it was");
}

/** Kills the process behind a mount in one of the ways in which it may die. @returns Its id. */
async function die(diffDir: string, random: Random): Promise<number> {
  const { pid } = ownerOf(diffDir);
  if (random.chance(0.5)) Deno.kill(pid, "SIGKILL");
  const crash = () => {
    // V8 takes the first for one of its own traps, and goes on.
    if (isAlive(pid)) Deno.kill(pid, "SIGSEGV");
    return !isAlive(pid);
  };
  assert(await waitUntil(crash), `process ${pid} ends`);
  return pid;
}
