/**
 * The life of a diff in which servers and daemons are killed again and again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Random } from "../support/random.ts";
import { Scene } from "../support/scene.ts";
import { snapshot } from "../support/snapshot.ts";
import { ordinaryUser } from "../support/users.ts";
import { checkServer, Clone } from "./clone.ts";
import { type CrashPlan, describePlan, planCrash } from "./crash_plan.ts";
import { Ledger } from "./ledger.ts";
import { inCycle, type Life, sampleOf } from "./life.ts";
import { Workload, WRITERS } from "./workload.ts";

/** Runs the cycles of one life on a diff of its own. */
export async function killLife(life: Life): Promise<void> {
  const { sample, wal } = sampleOf(life);
  const { fixture, backupId, majorVersion } = sample;
  const owner = ordinaryUser();
  await using scene = await Scene.open({ fixture, owner, majorVersion });
  const before = await snapshot(scene.catalogDir);
  const mountOptions = scene.mountOptions(backupId, { extra: ["--wal", wal] });
  await using clone = new Clone({ ...mountOptions, owner, majorVersion });
  const ledger = new Ledger(WRITERS);
  await inCycle(life, life.first, "the first mount", () => begin(clone, ledger, life));
  for (let cycle = life.first; cycle < life.first + life.cycles; cycle++) {
    const plan = planCrash(Random.of(life.seed, cycle));
    const words = `${fixture}, wal ${wal}, ${describePlan(plan)}`;
    await inCycle(life, cycle, words, async () => {
      await crash(clone, ledger, { plan, random: Random.of(~life.seed, cycle) });
      await recover(clone, plan);
      await ledger.check(clone.server);
      await checkServer(clone.server);
      if (plan.stopsAfter || cycle === life.first + life.cycles - 1) await clone.stop();
      assert.deepEqual(await snapshot(scene.catalogDir), before, "the store is as it was");
    }, () => clone.log());
    life.say(`${ledger.acknowledged} transactions so far`);
  }
}

/** The first mount, which may be killed itself, and the tables. */
async function begin(clone: Clone, ledger: Ledger, life: Life): Promise<void> {
  const random = Random.of(life.seed ^ 0x5f5f, life.first);
  const points = ["commit@1=kill-before", "commit@1=kill-after", "fdatasync@2=kill-after"];
  if (random.chance(0.5)) await clone.mount(random.pick(points)).catch(() => {});
  await clone.cleanUp();
  await clone.mount();
  await clone.startServer();
  await ledger.begin(clone.server);
  await clone.stop();
}

/** Lets sessions work until the crash. */
async function crash(
  clone: Clone,
  ledger: Ledger,
  { plan, random }: { plan: CrashPlan; random: Random },
): Promise<void> {
  const { owner } = clone.options;
  try {
    if (plan.faults !== "" && clone.isServed) await clone.stop();
    if (!clone.isServed) await clone.mount(plan.faults);
    if (!clone.hasServer) await clone.startServer();
  } catch (error) {
    if (plan.faults !== "" && await clone.endsSoon()) return; // The point came early.
    throw error;
  }
  const workload = new Workload(clone.server, { user: owner, ledger, random });
  try {
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, plan.afterMs)),
      workload.untilOneEnds(),
    ]);
    // A daemon that has just killed itself is still listed for a moment.
    const mayBeDying = plan.faults !== "" && workload.ended.length > 0;
    if (!mayBeDying || !await clone.endsSoon()) {
      assert.deepEqual(workload.ended, [], `before the crash; ${clone.server.logTail()}`);
    }
    await clone.kill(plan.kills);
  } finally {
    await workload.stop();
  }
}

/** Mounts again if need be, and lets the server recover; perhaps with another crash meanwhile. */
async function recover(clone: Clone, plan: CrashPlan): Promise<void> {
  if (clone.isServed) await clone.dropServer();
  else await clone.cleanUp();
  if (plan.inRecovery !== undefined) {
    const { afterMs, faults } = plan.inRecovery;
    try {
      if (!clone.isServed) await clone.mount(faults);
      const started = clone.startServer().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await clone.kill("both");
      await started;
    } catch (error) {
      if (faults === "" || !await clone.endsSoon()) throw error;
    }
    await clone.cleanUp();
  }
  if (!clone.isServed) await clone.mount();
  await clone.startServer();
}
