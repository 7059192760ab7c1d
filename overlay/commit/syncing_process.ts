/**
 * The process that asks for a sync, and when it was started.
 *
 * @module
 */

/** A process, as long as it lives. */
export interface Process {
  /** The same for all threads of a process, and not used again by another. */
  readonly id: string;
  /** When it was started, in ticks since the machine was. */
  readonly startedTicks: number;
}

/** Ticks of the kernel's clock in a second, as `/proc` has them. Source: proc(5), USER_HZ. */
const TICKS_A_SECOND = 100;

/**
 * The process of a thread. Of one that has ended, or is in a container out of sight (pid 0), only the
 * number is known: it is taken to have been there always.
 */
export function processOf(pid: number): Process {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const leader = Number(/^Tgid:\s+(\d+)$/m.exec(status)?.[1] ?? pid);
    const text = Deno.readTextFileSync(`/proc/${leader}/stat`);
    // The name, in parentheses, may hold anything; the time is the 20th field behind it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const startedTicks = Number(fields[19]);
    return { id: `${leader}@${startedTicks}`, startedTicks };
  } catch {
    return { id: `${pid}`, startedTicks: 0 };
  }
}

/** How long the machine has been running. */
export function uptimeTicks(): number {
  const [seconds = "0"] = Deno.readTextFileSync("/proc/uptime").split(" ");
  return Math.ceil(Number(seconds) * TICKS_A_SECOND);
}
