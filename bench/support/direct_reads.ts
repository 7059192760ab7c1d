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
  /** Of a page for reads at random; more is read from start to end, again and again. */
  readonly sizeBytes: number;
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

/** Of a page, which is what is read at random. */
export const PAGE_BYTES = 8192;

/** Threads that read a file until they are stopped, and then tell what each read took, in µs. */
export function startDirectReads(
  path: string,
  { threads = 1, sizeBytes = PAGE_BYTES }: {
    readonly threads?: number;
    readonly sizeBytes?: number;
  } = {},
): Promise<BusyThreads<Float64Array>> {
  const url = new URL("./direct_reads_worker.ts", import.meta.url);
  const jobs = Array.from({ length: threads }, (_, thread): DirectReadJob => {
    return { path, sizeBytes, first: thread * 7919 };
  });
  return BusyThreads.start(url, jobs);
}

/** What the reads of a thread took. */
export function readTimes(micros: Float64Array): ReadTimes {
  const sorted = micros.toSorted();
  const at = (share: number) => percentile(sorted, share);
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}
