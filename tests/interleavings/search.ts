/**
 * Which schedules to run.
 *
 * @module
 */

import { type Clock, join } from "./clocks.ts";
import { isDependent } from "./board.ts";
import type { Event, Prescription, Run } from "./runner.ts";

/** Says which schedule is next, and is told how it went. */
export interface Search {
  /** @returns undefined when all are done. */
  next(): Prescription | undefined;
  ran(run: Run): void;
}

/** Steps alone, with the numbers that they have among the events. */
function stepsOf(events: readonly Event[]): Event[] {
  return events.filter(({ isStep }) => isStep);
}

interface Node {
  chosen: number;
  /** Bits: to be tried, and tried or known not to be needed. */
  wanted: number;
  done: number;
}

/**
 * One schedule of each set of schedules that differ in the sequence of independent steps only:
 * dynamic partial order reduction with source sets and sleep sets.
 *
 * @see Abdulla, Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction, POPL 2014
 */
export class AllSchedules implements Search {
  readonly #threads: number;
  readonly #nodes: Node[] = [];
  #isFirst = true;
  /** Steps before this one were looked at in an earlier run. */
  #newFrom = 0;

  constructor(threads: number) {
    this.#threads = threads;
  }

  next(): Prescription | undefined {
    const nodes = this.#nodes;
    if (this.#isFirst) {
      this.#isFirst = false;
      return { choices: [], asleep: 0 };
    }
    for (; nodes.length > 0; nodes.pop()) {
      const node = nodes[nodes.length - 1] as Node;
      node.done |= 1 << node.chosen;
      const open = node.wanted & ~node.done;
      if (open === 0) continue;
      node.chosen = 31 - Math.clz32(open & -open);
      this.#newFrom = nodes.length - 1;
      return { choices: nodes.map(({ chosen }) => chosen), asleep: node.done };
    }
    return undefined;
  }

  ran({ events }: Run): void {
    const steps = stepsOf(events);
    for (let at = this.#nodes.length; at < steps.length; at++) {
      const { thread, asleep } = steps[at] as Event;
      this.#nodes.push({ chosen: thread, wanted: 1 << thread, done: asleep });
    }
    this.#wantReversals(steps, events);
  }

  /** Where two steps race, the other sequence is to be tried as well. */
  #wantReversals(steps: readonly Event[], events: readonly Event[]): void {
    const knowing = new HappensBefore(this.#threads, events);
    for (const [at, step] of steps.entries()) {
      for (const earlier of knowing.add(step)) {
        if (at < this.#newFrom) continue;
        const node = this.#nodes[earlier] as Node;
        const initials = knowing.initialsOf(earlier, at);
        if (((node.wanted | node.done) & initials) === 0) node.wanted |= initials & -initials;
      }
    }
  }
}

/** The order that dependent steps give to all others. */
class HappensBefore {
  readonly #threads: number;
  readonly #steps: Event[] = [];
  /** Of each step: what happened before it, and itself. */
  readonly #clocks: Clock[] = [];
  /** Of each step: its number within its thread, from 1. */
  readonly #ownAt: number[] = [];
  /** Of each thread: its steps. */
  readonly #own: number[][];
  /** By place: the steps there, by thread. */
  readonly #places = new Map<number, number[][]>();
  readonly #stepOfEvent = new Map<number, number>();

  constructor(threads: number, events: readonly Event[]) {
    this.#threads = threads;
    this.#own = Array.from({ length: threads }, () => []);
    let step = 0;
    for (const [index, { isStep }] of events.entries()) {
      if (isStep) this.#stepOfEvent.set(index, step++);
    }
  }

  /** @returns The steps that the next one races with: nothing orders them but themselves. */
  add(step: Event): number[] {
    const { thread } = step;
    const own = this.#own[thread] as number[];
    const clock: Clock = new Int32Array(this.#threads);
    if (own.length > 0) join(clock, this.#clocks[own[own.length - 1] as number]);
    const woken = step.kind === "woken";
    const before = woken
      ? [this.#stepOfEvent.get(step.cause) as number]
      : this.#dependentOn(step).filter((other) => !this.#isKnown(other, clock));
    // What another of them orders as well is no race.
    const races = woken
      ? []
      : before.filter((other) =>
        !before.some((between) =>
          between !== other && this.#isKnown(other, this.#clocks[between] as Clock)
        )
      );
    for (const other of before) join(clock, this.#clocks[other]);
    const at = this.#steps.push(step) - 1;
    clock[thread] = own.push(at);
    this.#clocks.push(clock);
    this.#ownAt.push(own.length);
    for (const key of keysOf(step)) {
      let lists = this.#places.get(key);
      if (lists === undefined) {
        this.#places.set(key, lists = Array.from({ length: this.#threads }, () => []));
      }
      lists[thread]?.push(at);
    }
    return races;
  }

  /** Who can begin what has to happen after `earlier` so that step `at` comes before it: bits. */
  initialsOf(earlier: number, at: number): number {
    const mine = this.#ownAt[earlier] as number;
    const { thread } = this.#steps[earlier] as Event;
    let initials = 0;
    const firsts: number[] = [];
    for (let index = earlier + 1; index <= at; index++) {
      const clock = this.#clocks[index] as Clock;
      if (index !== at && (clock[thread] as number) >= mine) continue;
      const isAfterAnother = firsts.some((first) => this.#isBefore(first, index, at));
      const bit = 1 << (this.#steps[index] as Event).thread;
      if ((initials & bit) === 0 && !isAfterAnother) initials |= bit;
      firsts.push(index);
    }
    return initials;
  }

  /** As if the race that ends in `at` were not there. */
  #isBefore(first: number, index: number, at: number): boolean {
    if (index !== at) return this.#isKnown(first, this.#clocks[index] as Clock);
    const step = this.#steps[at] as Event;
    const { thread } = this.#steps[first] as Event;
    return thread === step.thread || isDependent(this.#steps[first] as Event, step) ||
      this.#isKnown(first, this.#clocks[at] as Clock);
  }

  #isKnown(step: number, clock: Clock): boolean {
    const { thread } = this.#steps[step] as Event;
    return (clock[thread] as number) >= (this.#ownAt[step] as number);
  }

  /** The last step of each other thread that this one depends on. */
  #dependentOn(step: Event): number[] {
    const found = new Map<number, number>();
    for (const key of keysOf(step)) {
      for (const [thread, list] of (this.#places.get(key) ?? []).entries()) {
        if (thread === step.thread) continue;
        const last = list.findLast((other) => isDependent(this.#steps[other] as Event, step));
        if (last !== undefined) found.set(thread, Math.max(last, found.get(thread) ?? -1));
      }
    }
    return [...found.values()];
  }
}

function* keysOf({ buffer, word, words }: Event): Iterable<number> {
  for (let each = word; each < word + words; each++) yield buffer * 2 ** 28 + each;
}

/**
 * All schedules in which a thread that could go on is interrupted no more often than a limit: most
 * faults need one or two interruptions.
 *
 * @see Musuvathi, Qadeer: Iterative context bounding, PLDI 2007
 */
export class BoundedSchedules implements Search {
  readonly #interruptionsMax: number;
  readonly #nodes: {
    chosen: number;
    readonly enabled: number;
    done: number;
    readonly spent: number;
  }[] = [];
  #isFirst = true;

  constructor(interruptionsMax: number) {
    this.#interruptionsMax = interruptionsMax;
  }

  next(): Prescription | undefined {
    const nodes = this.#nodes;
    if (this.#isFirst) {
      this.#isFirst = false;
      return { choices: [], asleep: 0 };
    }
    for (; nodes.length > 0; nodes.pop()) {
      const at = nodes.length - 1;
      const node = nodes[at]!;
      node.done |= 1 << node.chosen;
      for (let thread = 0; node.enabled >> thread !== 0; thread++) {
        const isOpen = (node.enabled & ~node.done & (1 << thread)) !== 0;
        if (!isOpen || this.#spentBy(at, thread) > this.#interruptionsMax) continue;
        node.chosen = thread;
        return { choices: nodes.map(({ chosen }) => chosen), asleep: 0 };
      }
    }
    return undefined;
  }

  ran({ events }: Run): void {
    const steps = stepsOf(events);
    for (let at = this.#nodes.length; at < steps.length; at++) {
      const { thread, enabled } = steps[at] as Event;
      this.#nodes.push({ chosen: thread, enabled, done: 0, spent: this.#before(at) });
    }
  }

  /** Interruptions in the steps before this one. */
  #before(at: number): number {
    return at === 0 ? 0 : this.#spentBy(at - 1, this.#nodes[at - 1]!.chosen);
  }

  #spentBy(at: number, thread: number): number {
    const node = this.#nodes[at]!;
    const last = at === 0 ? thread : this.#nodes[at - 1]!.chosen;
    const isInterruption = last !== thread && (node.enabled & (1 << last)) !== 0;
    return node.spent + (isInterruption ? 1 : 0);
  }
}
