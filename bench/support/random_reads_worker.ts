/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * One of the threads that read at random.
 *
 * @module
 */

import { byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { pageAt, type ReadJob } from "./random_reads.ts";

const PAGE_BYTES = 8192;

self.onmessage = ({ data }: MessageEvent<ReadJob>) => {
  const { path, filePages, first, end, step, gate } = data;
  const libc = systemLibc();
  const page = allocate(PAGE_BYTES);
  const fd = libc.open(byteStringOf(path), OPEN.readOnly);
  self.postMessage("ready");
  Atomics.wait(new Int32Array(gate), 0, 0);
  for (let place = first; place < end; place += step) {
    const offsetBytes = pageAt(place, filePages) * PAGE_BYTES;
    libc.pread(fd, page.address, { offsetBytes, sizeBytes: PAGE_BYTES });
  }
  libc.close(fd);
  self.postMessage("done");
};
