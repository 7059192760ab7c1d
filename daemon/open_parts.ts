/**
 * The parts that the serving thread opens before there is a file system.
 *
 * @module
 */

import { type Base, loadCodecs, type OpenOptions, sourceOf, StoreAlarm } from "../backup/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import type { Libc } from "../ffi/libc.ts";
import { servingLibc } from "../ffi/serving_libc.ts";
import { OverlayCounters, ReadEngine } from "../overlay/mod.ts";
import { tell } from "../threads/mod.ts";
import { type DescriptorBudget, descriptorBudget } from "./descriptor_budget.ts";
import type { FastPaths } from "./fast_paths.ts";
import { openDiff, type OpenedDiff } from "./open_diff.ts";
import { type OpenRoom, openRoom } from "./open_room.ts";
import type { DispatcherNews, DispatcherSetup } from "./protocol.ts";
import { report } from "./report.ts";
import { planSpace, spaceFacts, type SpacePlan } from "./space_plan.ts";

/** What is open. */
export interface Opened {
  readonly setup: DispatcherSetup;
  readonly fastPaths: FastPaths;
  readonly libc: Libc;
  readonly budget: DescriptorBudget;
  readonly counters: OverlayCounters;
  readonly base: Base;
  readonly reads: ReadEngine;
  readonly diff: OpenedDiff;
  readonly plan: SpacePlan;
  /** Undefined if nothing is written. */
  readonly room: OpenRoom | undefined;
  /** Nothing is written. */
  readonly isReadOnly: boolean;
  /** The kernel gathers writes. */
  readonly gathers: boolean;
}

/** Opens the backup and the diff, and takes the space that is kept. */
export async function openParts(setup: DispatcherSetup): Promise<Opened> {
  const { diffPath } = setup;
  const libc = servingLibc();
  const fastPaths: FastPaths = new Set(setup.fastPaths);
  const budget = descriptorBudget(libc.descriptorsMax(), setup.reads?.count ?? 0);
  const counters = new OverlayCounters(setup.counters);
  const codecs = await loadCodecs({ system: fastPaths.has("system_codecs") });
  const base = await openBase(setup, { libc, codecs, descriptorsMax: budget.storedFiles });
  const reads = new ReadEngine({
    libc,
    codecs,
    counters: base.counters,
    workers: setup.reads,
    onRead: () => counters.takeOver(base.counters),
  });
  const diff = await openDiff(setup, { base, libc, onError: report });
  const isReadOnly = setup.salvage === true;
  const plan = planSpace(spaceFacts(diffPath, libc));
  const room = isReadOnly ? undefined : openRoom({
    diffPath,
    libc,
    plan,
    shared: setup.space,
    tell: (note) => tell<DispatcherNews>({ note }),
  });
  const gathers = room?.gathers === true && fastPaths.has("write_back");
  return {
    ...{ setup, fastPaths, libc, budget, counters, base, reads, diff },
    ...{ plan, room, isReadOnly, gathers },
  };
}

async function openBase(
  { backup, learnt, binding, diffPath, mountPath, alarm }: DispatcherSetup,
  options: Pick<OpenOptions, "libc" | "codecs" | "descriptorsMax">,
): Promise<Base> {
  return await sourceOf(backup).open(backup, {
    ...options,
    alarm: new StoreAlarm(alarm),
    layout: {
      mountPath: byteStringOf(mountPath),
      restoredAt: binding.createdAt,
      settings: binding.settings,
      ...(binding.wal === "outside" && { walLink: byteStringOf(pathsIn(diffPath).wal) }),
    },
  }, learnt);
}
