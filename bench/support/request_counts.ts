/**
 * Counts the requests that a mount with `--trace` was asked, by operation.
 *
 * @module
 */

import { mountStatus } from "../../operate/mod.ts";

/** Requests by operation. */
export type RequestCounts = ReadonlyMap<string, number>;

/** The log is written by another thread than the one that serves. */
const LOG_LIMIT_MS = 20_000;

/** Operations in a traced log: lines such as `… trace 81 read inode=12 at=8192 size=8192`. */
export function countRequests(log: string): RequestCounts {
  const counts = new Map<string, number>();
  for (const [, operation = ""] of log.matchAll(/^\S+ \S+ \d+ (.+?) inode=/gm)) {
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
  }
  return counts;
}

/** Follows the log of a mount. */
export class RequestLog {
  readonly #mountDir: string;
  readonly #logPath: string;

  constructor({ mountDir, diffDir }: { readonly mountDir: string; readonly diffDir: string }) {
    this.#mountDir = mountDir;
    this.#logPath = `${diffDir}/pbkfs.log`;
  }

  /** All requests so far. Waits until the log has as many as the mount itself has counted. */
  async count(): Promise<RequestCounts> {
    const { latencies } = await mountStatus(this.#mountDir);
    const answered = Object.values(latencies).reduce((sum, { count }) => sum + count, 0);
    for (const deadline = Date.now() + LOG_LIMIT_MS;;) {
      const counts = countRequests(Deno.readTextFileSync(this.#logPath));
      const found = sumOf(counts);
      if (found >= answered) return counts;
      if (Date.now() > deadline) {
        throw new Error(`${this.#logPath} has ${found} requests, the mount counted ${answered}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** What came after `before`, by operation; only what did. */
export function countsSince(before: RequestCounts, after: RequestCounts): RequestCounts {
  const grown = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return new Map(grown.filter(([, count]) => count > 0));
}

/** All operations together. */
export function sumOf(counts: RequestCounts): number {
  return counts.values().reduce((sum, count) => sum + count, 0);
}
