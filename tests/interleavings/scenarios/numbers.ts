/**
 * Numbers that one thread writes and others read: counters, and latencies.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Modules, Scenario } from "../scenario.ts";

type CountersModule = typeof import("../../../overlay/shared/counters.ts");
type LatenciesModule = typeof import("../../../fuse/latencies.ts");
type Memory = Record<string, unknown>;

/** Two threads count, each in memory of its own; a third looks twice. */
export async function counters(modules: Modules): Promise<Scenario> {
  const { OverlayCounters, sumOf } = await modules<CountersModule>("overlay/shared/counters.ts");
  const open = (memory: Memory, name: string) =>
    new OverlayCounters(memory[name] as SharedArrayBuffer);
  const sum = (memory: Memory) => {
    const { reads, readBytes, storeReads } = sumOf([open(memory, "one"), open(memory, "other")]);
    return [reads, readBytes, storeReads] as const;
  };
  const counts = (name: string, sizeBytes: number) => (memory: Memory) => {
    const own = open(memory, name);
    own.add("reads", 1);
    own.takeOver({ readBytes: sizeBytes, storeReads: 1 });
  };
  return {
    memory: () => ({
      one: new OverlayCounters().shared,
      other: new OverlayCounters().shared,
    }),
    threads: [
      counts("one", 8192),
      counts("other", 100),
      (memory, note) => {
        note(sum(memory));
        note(sum(memory));
      },
    ],
    plainSteps: true,
    check([, , seen = []], memory) {
      const all = [...seen as number[][], sum(memory)];
      for (const [index, numbers] of all.entries()) {
        assert([0, 8192, 100, 8292].includes(numbers[1] as number), "written as a whole");
        numbers.forEach((number, at) => assert(number >= (all[index - 1]?.[at] ?? 0), "grows"));
      }
      assert.deepEqual(sum(memory), [2, 8292, 2]);
    },
  };
}

/** Two threads add, a third looks meanwhile. */
export async function latencies(modules: Modules): Promise<Scenario> {
  const { Latencies, REQUEST_KINDS } = await modules<LatenciesModule>("fuse/latencies.ts");
  const read = REQUEST_KINDS.indexOf("read");
  const open = (memory: Memory) => new Latencies(memory["shared"] as SharedArrayBuffer);
  const adds = (milliseconds: number) => (memory: Memory) => {
    const own = open(memory);
    own.add(read, milliseconds);
    own.add(read, milliseconds);
  };
  return {
    memory: () => ({ shared: new Latencies().shared }),
    threads: [
      adds(1),
      adds(3),
      (memory, note) => note(open(memory).cumulative("read", [2000, 8000])),
    ],
    plainSteps: true,
    check(notes, memory) {
      const [short, all] = notes[2]?.[0] as [number, number];
      assert(short <= 2 && all - short <= 2, "no more than there were");
      const { count, sumMicros, maxMicros } = open(memory).summary("read");
      assert.deepEqual([count, sumMicros, maxMicros], [4, 8000, 3000]);
    },
  };
}
