/**
 * Plain accesses that the language does not order.
 *
 * An atomic read knows what the thread that wrote its value knew, and a woken thread what the one
 * that woke it did. Two plain accesses of one place, of which one writes, must be ordered by that;
 * if they are in all interleavings of the atomic steps, these are all that there are.
 *
 * @module
 */

import { type Clock, join } from "./clocks.ts";
import type { Event } from "./runner.ts";

interface Place {
  /** What the last atomic write has made known. */
  sync?: Clock;
  /** Last plain write, and plain reads by thread: number of the thread's event, and of the event. */
  write?: { readonly thread: number; readonly at: number; readonly event: number };
  readonly reads: { readonly thread: number; readonly at: number; readonly event: number }[];
}

/** @returns The numbers of two events that race, or undefined. */
export function findDataRace(
  events: readonly Event[],
  threads: number,
): readonly [number, number] | undefined {
  const clocks = Array.from({ length: threads }, () => new Int32Array(threads));
  const places = new Map<number, Place>();
  const causes = new Map<number, Clock>();
  for (const [event, each] of events.entries()) {
    const { thread, kind } = each;
    const clock = clocks[thread] as Clock;
    clock[thread]!++;
    const isKnown = (other: { thread: number; at: number }) =>
      other.thread === thread || clock[other.thread]! >= other.at;
    for (let word = each.word; word < each.word + each.words; word++) {
      const key = each.buffer * 2 ** 28 + word;
      let place = places.get(key);
      if (place === undefined) places.set(key, place = { reads: [] });
      const now = { thread, at: clock[thread] as number, event };
      if (kind === "load" || kind === "update" || kind === "wait") join(clock, place.sync);
      if (kind === "store" || kind === "update") place.sync = clock.slice();
      if (kind !== "read" && kind !== "write") continue;
      const { write, reads } = place;
      if (write !== undefined && !isKnown(write)) return [write.event, event];
      if (kind === "read") {
        reads[thread] = now;
        continue;
      }
      const unknown = reads.find((read) => read !== undefined && !isKnown(read));
      if (unknown !== undefined) return [unknown.event, event];
      place.write = now;
      reads.length = 0;
    }
    if (kind === "notify") causes.set(event, clock.slice());
    if (kind === "woken") join(clock, causes.get(each.cause));
  }
  return undefined;
}
