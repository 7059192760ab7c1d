/**
 * The processes of a server, found by their working directory: PostgreSQL's postmaster and all
 * its children stay in the data directory. Only /proc is read, never the directory itself, so
 * that this works when the file system below has died.
 *
 * @module
 */

/** The ids of the processes whose working directory is `dirPath`, which must be resolved. */
export function processesIn(dirPath: string): number[] {
  const found: number[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      if (Deno.readLinkSync(`/proc/${entry.name}/cwd`) === dirPath) found.push(Number(entry.name));
    } catch {
      // Ended meanwhile, a zombie, or another user's: not one that we started.
    }
  }
  return found;
}

/** Kills the processes in `dirPath`, and returns when they are gone. @throws {Error} if they stay. */
export async function killProcessesIn(dirPath: string, limitMs = 10_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  const killed = new Set<number>();
  for (;;) {
    const pids = processesIn(dirPath);
    if (pids.length === 0) break;
    for (const pid of pids) {
      killed.add(pid);
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // Ended meanwhile.
      }
    }
    if (Date.now() > deadline) {
      throw new Error(`Processes ${pids.join(", ")} in ${dirPath} do not go away`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await waitUntilReaped([...killed]);
}

/**
 * Waits until somebody has waited for processes that have ended, or ten seconds: until then, each
 * still counts as running for a server that starts.
 */
export async function waitUntilReaped(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (pids.some(isListed) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function isListed(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}
