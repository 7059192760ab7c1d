/**
 * Reads pages at random past the page cache, so that each read is a request to the file system,
 * and tells how long each took.
 *
 * @module
 */

import { BusyThreads } from "./busy_threads.ts";
import { percentile } from "./percentile.ts";

/** What a thread reads. */
export interface DirectReadJob {
  readonly path: string;
  /** Where in the order of pages it begins: threads must not read the same. */
  readonly first: number;
}

/** How long reads took, in microseconds. */
export interface ReadTimes {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Threads that read a file until they are stopped. */
export function startDirectReads(path: string, threads = 1): Promise<BusyThreads<Float64Array>> {
  const url = new URL("./direct_reads_worker.ts", import.meta.url);
  const jobs = Array.from({ length: threads }, (_, thread): DirectReadJob => {
    return { path, first: thread * 7919 };
  });
  return BusyThreads.start(url, jobs);
}

/** What the reads of a thread took. */
export function readTimes(micros: Float64Array): ReadTimes {
  const sorted = micros.toSorted();
  const at = (share: number) => percentile(sorted, share);
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}
