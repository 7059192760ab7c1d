/**
 * What a mount's process costs.
 *
 * @module
 */

import { spread } from "./pairs.ts";
import type { Row } from "./report.ts";

const TICKS_A_SECOND = 100;

/** Processor time that a process has taken so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name may hold blanks; after it come state, and as 12th and 13th, user and system time.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** The most memory that a process has had so far, in MiB. */
export function peakMemoryMb(pid: number): number {
  return memoryField(pid, "VmHWM");
}

/** The memory that a process has now, in MiB. */
export function memoryMb(pid: number): number {
  return memoryField(pid, "VmRSS");
}

function memoryField(pid: number, name: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}

/** Gathers what daemons took, over the mounts of a scenario. */
export class DaemonMeter {
  readonly #cpu: number[] = [];
  readonly #memory: number[] = [];

  /** Notes a daemon that is about to end. @param cpuBefore What is not to be counted. */
  note(pid: number, cpuBefore = 0): void {
    this.#cpu.push(cpuSeconds(pid) - cpuBefore);
    this.#memory.push(peakMemoryMb(pid));
  }

  /** Two rows, without anything to compare them with. */
  rows(what: string): Row[] {
    const runs = this.#cpu.length;
    if (runs === 0) return [];
    return [
      { what: `${what}: daemon's CPU`, unit: "s", alone: spread(this.#cpu), runs },
      { what: `${what}: daemon's peak memory`, unit: "MiB", alone: spread(this.#memory), runs },
    ];
  }
}
