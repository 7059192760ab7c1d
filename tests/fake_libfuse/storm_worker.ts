/**
 * A read worker whose answers go to a {@link FakeLibfuse}.
 *
 * @module
 */

import { loadCodecs, PieceReader } from "../../backup/mod.ts";
import { systemLibc } from "../../ffi/libc.ts";
import type { ReadQueueMemory } from "../../overlay/read/read_queue.ts";
import { modulesWith } from "../interleavings/scenario.ts";
import { FakeLibfuse } from "./fake_libfuse.ts";

type QueueModule = typeof import("../../overlay/read/read_queue.ts");
type ServiceModule = typeof import("../../overlay/read/serve_reads.ts");

/** What a worker is told to begin. */
export interface StormWorkerSetup {
  readonly queue: ReadQueueMemory;
  readonly fuse: SharedArrayBuffer;
  readonly replaced: Readonly<Record<string, string>>;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<StormWorkerSetup>) => void;
  postMessage(message: "ready" | { readonly error: string }): void;
};

scope.onmessage = async ({ data }) => {
  const modules = modulesWith(data.replaced);
  const { ReadQueue } = await modules<QueueModule>("overlay/read/read_queue.ts");
  const { serveReads } = await modules<ServiceModule>("overlay/read/serve_reads.ts");
  const libc = systemLibc();
  const fuse = new FakeLibfuse(data.fuse);
  const reader = new PieceReader({ libc, codecs: await loadCodecs() });
  scope.postMessage("ready");
  serveReads({
    queue: new ReadQueue(data.queue),
    reader,
    answers: {
      bytes: (request, from, sizeBytes) => fuse.replyBytes(request, from, sizeBytes),
      error: (request, errno) => fuse.replyError(request, errno),
    },
    close: (fd) => libc.close(fd),
    onPart() {},
    onAnswered() {},
    onError: (error) => scope.postMessage({ error: (error as Error).message }),
  });
};
