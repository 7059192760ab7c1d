/**
 * The life of a diff on a disk whose power is cut again and again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { detachMounts } from "../support/mounts.ts";
import { PowerCutDisk } from "../support/power_cut_fs/mod.ts";
import { Random } from "../support/random.ts";
import { Scene } from "../support/scene.ts";
import { snapshot } from "../support/snapshot.ts";
import { ordinaryUser } from "../support/users.ts";
import { checkServer, Clone } from "./clone.ts";
import { Ledger } from "./ledger.ts";
import { inCycle, type Life, sampleOf } from "./life.ts";
import { Workload, WRITERS } from "./workload.ts";

/** When the power goes. */
interface CutPlan {
  /** Changes or syncs that the disk sees before; Infinity: none of them is the reason. */
  readonly afterChanges: number;
  readonly afterMs: number;
}

/** The power, for who works. */
interface Power {
  /** Whether it is gone, or the time has come. */
  readonly isDue: () => boolean;
  readonly cut: () => void;
}

/** Where a life takes place. */
interface Place {
  readonly scene: Scene;
  readonly wal: string;
  readonly backupId: string | undefined;
  readonly majorVersion: number;
  readonly ledger: Ledger;
  /** What is on the disk. */
  imagePath: string;
  cuts: number;
}

/** Runs the cycles of one life on a diff of its own. */
export async function powerLife(life: Life): Promise<void> {
  const { sample, wal } = sampleOf(life);
  const { fixture, backupId, majorVersion } = sample;
  await using scene = await Scene.open({ fixture, owner: ordinaryUser(), majorVersion });
  const before = await snapshot(scene.catalogDir);
  const imagePath = `${scene.dirPath}/image-0`;
  Deno.mkdirSync(imagePath);
  Deno.mkdirSync(`${scene.dirPath}/disk`);
  const ledger = new Ledger(WRITERS);
  const place: Place = { scene, wal, backupId, majorVersion, ledger, imagePath, cuts: 0 };
  const first = planFirst(Random.of(life.seed ^ 0x5f5f, life.first));
  const words = `the first mount, cut after ${first?.afterChanges ?? "no"} changes`;
  await inCycle(life, life.first, words, async () => {
    if (first !== undefined) await cutWhile(place, life.seed, first, mountOnly);
    await onPlainDisk(place, (clone) => ledger.begin(clone.server));
  });
  for (let cycle = life.first; cycle < life.first + life.cycles; cycle++) {
    const random = Random.of(life.seed, cycle);
    const plan = planCut(random);
    const inRecovery = random.chance(0.3) ? planCut(random) : undefined;
    const again = inRecovery === undefined ? "" : `, again in recovery ${describe(inRecovery)}`;
    await inCycle(
      life,
      cycle,
      `${fixture}, wal ${wal}, cut ${describe(plan)}${again}`,
      async () => {
        const seed = random.between(0, 1e9);
        await cutWhile(place, seed, plan, (clone, power) => work(clone, power, place, random));
        if (inRecovery !== undefined) await cutWhile(place, seed + 1, inRecovery, recoverOnly);
        await onPlainDisk(place, async (clone) => {
          await ledger.check(clone.server);
          await checkServer(clone.server);
        });
        assert.deepEqual(await snapshot(scene.catalogDir), before, "the store is as it was");
      },
    );
    life.say(`${ledger.acknowledged} transactions so far`);
  }
}

function planCut(random: Random): CutPlan {
  const isByCount = random.chance(0.7);
  return {
    afterChanges: isByCount ? random.small(8000) + random.between(0, 200) : Infinity,
    afterMs: isByCount ? 6000 : random.between(100, 3000),
  };
}

function planFirst(random: Random): CutPlan | undefined {
  return random.chance(0.5) ? { afterChanges: random.between(1, 150), afterMs: 6000 } : undefined;
}

function describe({ afterChanges, afterMs }: CutPlan): string {
  return afterChanges === Infinity ? `after ${afterMs} ms` : `at change ${afterChanges}`;
}

/**
 * Mounts the diff on the disk, and cuts the power while `body` runs or when it has ended. Then all
 * processes are gone, and {@link Place.imagePath} has what is left.
 */
async function cutWhile(
  place: Place,
  seed: number,
  { afterChanges, afterMs }: CutPlan,
  body: (clone: Clone, power: Power) => Promise<void>,
): Promise<void> {
  const { scene } = place;
  const leftPath = `${scene.dirPath}/image-${++place.cuts}`;
  const diskPath = `${scene.dirPath}/disk`;
  const disk = await PowerCutDisk.mount({
    imagePath: place.imagePath,
    mountPath: diskPath,
    leftPath,
    seed,
  });
  const clone = cloneAt(place, `${diskPath}/diff`);
  try {
    if (afterChanges !== Infinity) disk.cutAfter(afterChanges);
    const end = Date.now() + afterMs;
    try {
      await body(clone, { isDue: () => disk.isCut || Date.now() > end, cut: () => disk.cut() });
    } catch (error) {
      if (!disk.isCut) throw error;
    }
    disk.cut();
  } finally {
    // The machine is off: nobody unmounts anything.
    await clone[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
    detachMounts(scene.mountDir);
  }
  await Deno.remove(place.imagePath, { recursive: true });
  place.imagePath = leftPath;
}

async function mountOnly(clone: Clone): Promise<void> {
  await clone.mount();
}

async function recoverOnly(clone: Clone): Promise<void> {
  await clone.mount();
  await clone.startServer();
}

async function work(
  clone: Clone,
  power: Power,
  { ledger }: Place,
  random: Random,
): Promise<void> {
  await clone.mount();
  await clone.startServer();
  const workload = new Workload(clone.server, { user: clone.options.owner, ledger, random });
  try {
    while (!power.isDue()) {
      if (workload.ended.length > 0) throw new Error(workload.ended.join("\n"));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    power.cut();
  } finally {
    await clone.kill("both");
    await workload.stop();
  }
}

/** Mounts the diff where it lies now, lets the server recover, and stops all as one should. */
async function onPlainDisk(place: Place, body: (clone: Clone) => Promise<void>): Promise<void> {
  await using clone = cloneAt(place, `${place.imagePath}/diff`);
  await clone.mount();
  await clone.startServer();
  await body(clone);
  await clone.stop();
}

function cloneAt({ scene, wal, backupId, majorVersion }: Place, diffDir: string): Clone {
  const options = scene.mountOptions(backupId, { diffDir, extra: ["--wal", wal] });
  return new Clone({ ...options, owner: scene.owner, majorVersion });
}
