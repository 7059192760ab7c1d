/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * Stores data files in a thread of its own, one after another.
 *
 * @module
 */

import { storeStream, type StreamJob } from "./page_stream.ts";

self.onmessage = ({ data }: MessageEvent<StreamJob>) => {
  try {
    self.postMessage({ stored: storeStream(data) });
  } catch (error) {
    self.postMessage({ error: `${data.sourcePath}: ${error}` });
  }
};
