/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * One of the threads that read past the page cache.
 *
 * @module
 */

import { byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate, offset } from "../../ffi/memory.ts";
import { type UntilStopped, untilStopped } from "./busy_threads.ts";
import { type DirectReadJob, PAGE_BYTES } from "./direct_reads.ts";
import { pageAt } from "./random_reads.ts";

/** What disks ask of the memory that they read to. */
const ALIGNMENT_BYTES = 4096;
/** Source: asm/fcntl.h of each architecture. */
const O_DIRECT = Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;
/** More than a thread reads in a turn; what comes after takes the place of what came first. */
const TIMES_MAX = 4_000_000;

self.onmessage = ({ data }: MessageEvent<DirectReadJob & UntilStopped>) => {
  const libc = systemLibc();
  const { sizeBytes } = data;
  const memory = allocate(sizeBytes + ALIGNMENT_BYTES);
  const target = offset(memory.address, -memory.address & (ALIGNMENT_BYTES - 1));
  const fd = libc.open(byteStringOf(data.path), OPEN.readOnly | O_DIRECT);
  const places = Math.max(1, Math.floor(libc.fstat(fd).sizeBytes / sizeBytes));
  const micros = new Float64Array(TIMES_MAX);
  let count = 0;
  try {
    untilStopped(data, () => {
      const place = data.first + count;
      const at = sizeBytes === PAGE_BYTES ? pageAt(place, places) : place % places;
      const start = performance.now();
      libc.pread(fd, target, { offsetBytes: at * sizeBytes, sizeBytes });
      micros[count++ % TIMES_MAX] = (performance.now() - start) * 1000;
    });
  } finally {
    libc.close(fd);
  }
  self.postMessage({ result: micros.subarray(0, Math.min(count, TIMES_MAX)).slice() });
};
