/**
 * Processes that a test kills, and what a killed server leaves in the machine's memory.
 *
 * @module
 */

import { isAlive } from "../../binding/mod.ts";
import { waitUntilReaped } from "../../postgres/mod.ts";

/** Ids of the daemons that have files of the diff `diffDir` open. */
export function daemonsOf(diffDir: string): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (!words.includes("_daemon")) return [];
      const hasOne = [...Deno.readDirSync(`/proc/${name}/fd`)].some((fd) =>
        linkOf(`/proc/${name}/fd/${fd.name}`).startsWith(`${diffDir}/`)
      );
      return hasOne ? [Number(name)] : [];
    } catch {
      return []; // Ended meanwhile.
    }
  });
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

/** Kills processes without a word, and returns when they are gone. */
export async function killHard(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // Ended meanwhile.
    }
  }
  const deadline = Date.now() + 30_000;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) throw new Error(`Processes ${pids.join(", ")} do not go away`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await waitUntilReaped(pids);
}

/** Shared memory of processes that may be killed: the kernel does not give it back by itself. */
export class SharedMemory {
  readonly #names = new Set<string>();
  readonly #creators = new Set<number>();

  /** Remembers what these processes have; while they live. */
  note(pids: readonly number[]): void {
    for (const pid of pids) {
      this.#creators.add(pid);
      try {
        const maps = Deno.readTextFileSync(`/proc/${pid}/maps`);
        for (const [name] of maps.matchAll(/\/dev\/shm\/PostgreSQL\.\d+/g)) this.#names.add(name);
      } catch {
        // Ended meanwhile.
      }
    }
  }

  /** Removes what was noted and is used no more. A server that starts again does most of it. */
  remove(): void {
    for (const name of this.#names) {
      try {
        Deno.removeSync(name);
      } catch {
        // The next server has removed it.
      }
    }
    this.#names.clear();
    for (const line of Deno.readTextFileSync("/proc/sysvipc/shm").split("\n").slice(1)) {
      // key shmid perms size cpid lpid nattch ...
      const [, id = "", , , creator = "", , attached] = line.trim().split(/\s+/);
      if (attached !== "0" || !this.#creators.has(Number(creator))) continue;
      new Deno.Command("ipcrm", { args: ["-m", id], stderr: "null" }).outputSync();
    }
  }
}
