/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * Appends pages to a file, and syncs it after each.
 *
 * @module
 */

import { byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { type UntilStopped, untilStopped } from "./busy_threads.ts";

const PAGE_BYTES = 8192;

/** Which file. It is made if it is not there. */
export interface SyncJob {
  readonly path: string;
}

self.onmessage = ({ data }: MessageEvent<SyncJob & UntilStopped>) => {
  const libc = systemLibc();
  const page = allocate(PAGE_BYTES);
  page.bytes.fill(1);
  const fd = libc.open(byteStringOf(data.path), OPEN.readWrite | OPEN.create, 0o600);
  const before = libc.fstat(fd).sizeBytes;
  let count = 0;
  try {
    untilStopped(data, () => {
      const offsetBytes = before + count++ * PAGE_BYTES;
      libc.pwrite(fd, page.address, { offsetBytes, sizeBytes: PAGE_BYTES });
      libc.fsync(fd);
    });
  } finally {
    libc.close(fd);
  }
  self.postMessage({ result: count });
};
