/**
 * The owner of a diff: the process that its lock file names, and what became of that process when
 * the kernel has let go of the lock.
 *
 * The lock itself is the kernel's (flock), so it dies with its process. The text is for people, and
 * for the one case in which the kernel cannot answer: a network file system whose locks do not
 * reach other hosts.
 *
 * @module
 */

/** A process that has or had a diff; as JSON, the content of `.pbkfs-lock`. */
export interface Owner {
  readonly pid: number;
  /** The name of its machine. */
  readonly host: string;
  /** Changes with each start of the machine. */
  readonly bootId: string;
  /** When it took the diff: ISO 8601, UTC. */
  readonly startedAt: string;
  /** The process that mounts again when this one dies, if there is one. */
  readonly guardian?: number;
  /** Since when its mount is there, and whoever asked for it knows. */
  readonly mountedAt?: string;
  /** When it let go. Missing while it has the diff, and after it died. */
  readonly releasedAt?: string;
  /** Why nobody mounted again after it died: a clause, for people. */
  readonly givenUp?: string;
}

/** Which machine this is, since when it is up. */
export type Machine = Pick<Owner, "host" | "bootId">;

/** Where Linux tells of which start of the machine this is. */
const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

/** This machine. @param bootIdPath For tests. */
export function thisMachine(bootIdPath = BOOT_ID_PATH): Machine {
  return { host: Deno.hostname(), bootId: Deno.readTextFileSync(bootIdPath).trim() };
}

/** This process, as of now. */
export function thisOwner(machine = thisMachine(), guardian?: number): Owner {
  const startedAt = new Date().toISOString();
  return { pid: Deno.pid, ...machine, startedAt, ...(guardian !== undefined && { guardian }) };
}

/** The owner that a text tells of; undefined if it is empty or was not written to its end. */
export function parseOwner(text: string): Owner | undefined {
  let data: Partial<Owner> | null;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (data === null || typeof data !== "object") return undefined;
  const { pid, guardian = 1, host, bootId, startedAt, mountedAt, releasedAt, givenUp } = data;
  const isText = (value: unknown) => typeof value === "string";
  if (![pid, guardian].every(Number.isInteger)) return undefined;
  if (![host, bootId, startedAt].every(isText)) return undefined;
  const isTextIfAny = (value: unknown) => value === undefined || isText(value);
  if (![mountedAt, releasedAt, givenUp].every(isTextIfAny)) return undefined;
  return data as Owner;
}

/** For messages. */
export function describeOwner(owner: Owner | undefined): string {
  if (owner === undefined) return "another process";
  return `process ${owner.pid} on ${owner.host} since ${owner.startedAt}`;
}

/**
 * What became of the last owner, now that nobody of this machine has the lock.
 *
 * - `released`: it let go, or there was none.
 * - `died`: its process ended without letting go.
 * - `rebooted`: its machine did; it was this one.
 * - `elsewhere`: it was on another machine, and may still be there if locks do not reach so far.
 *   Two machines differ in name and start; containers of one machine share the start, and a
 *   machine that was started again keeps its name.
 */
export function fateOf(
  owner: Owner | undefined,
  machine: Machine,
): "released" | "died" | "rebooted" | "elsewhere" {
  if (owner === undefined || owner.releasedAt !== undefined) return "released";
  if (owner.bootId === machine.bootId) return "died";
  return owner.host === machine.host ? "rebooted" : "elsewhere";
}
