/**
 * The process behind a mount, as its diff tells of it.
 *
 * @module
 */

import { isAlive, type Owner, readOwner } from "../../binding/mod.ts";

/** Who has a diff, or had it last. */
export function ownerOf(diffDir: string): Owner {
  const owner = readOwner(diffDir);
  if (owner === undefined) throw new Error(`${diffDir} does not tell of an owner`);
  return owner;
}

/** Waits until `isTrue`. @returns Whether it became true in time. */
export async function waitUntil(isTrue: () => boolean, limitMs = 20_000): Promise<boolean> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline;) {
    if (isTrue()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return isTrue();
}

/** Kills the process behind a mount as a crash would, and waits for its end. */
export async function crash(diffDir: string): Promise<number> {
  const { pid } = ownerOf(diffDir);
  Deno.kill(pid, "SIGKILL");
  if (!await waitUntil(() => !isAlive(pid))) throw new Error(`process ${pid} does not end`);
  return pid;
}

/** Waits until a mount, whose process `died`, is there again. @returns The new process. */
export async function nextDaemon(diffDir: string, died: number): Promise<number> {
  const isThere = () => {
    const owner = readOwner(diffDir);
    return owner !== undefined && owner.pid !== died && owner.mountedAt !== undefined;
  };
  if (await waitUntil(isThere)) return ownerOf(diffDir).pid;
  throw new Error(`${diffDir} is not mounted again: ${JSON.stringify(readOwner(diffDir))}`);
}

/** A process that works in a directory, as a shell does, until it is ended. */
export class Visitor implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  constructor(dirPath: string) {
    this.#child = new Deno.Command("sleep", { args: ["120"], cwd: dirPath }).spawn();
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
  }
}
