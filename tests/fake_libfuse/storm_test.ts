import assert from "node:assert/strict";
import { allocate } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { FakeLibfuse, PAGE_BYTES, wordOf } from "./fake_libfuse.ts";
import type { StormReport } from "./storm.ts";

/** Runs `storm.ts` in interpreted code, which is slow between two loads. */
async function storm(options: { readonly seconds: number; readonly seed: number }) {
  const program = new URL("./storm.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--v8-flags=--no-opt,--no-sparkplug,--no-maglev", program],
      ...["--seconds", `${options.seconds}`, "--seed", `${options.seed}`],
    ],
    signal: AbortSignal.timeout(120_000),
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return JSON.parse(text.decode(stdout)) as StormReport;
}

Deno.test("in a storm of short reads each request is answered once, with its bytes [FR-447]", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { asked, handedOver, ...faults } = await storm({ seconds: 4, seed });
  Deno.stdout.writeSync(new TextEncoder().encode(`seed ${seed}: ${asked} reads\n`));
  assert(handedOver > 0);
  assert.deepEqual(faults, {
    ...{ never: 0, pending: 0, wrongRequests: 0, wrongBytes: 0, failed: 0, errors: [] },
  });
});

Deno.test("the fake libfuse tells of answers that are wrong [FR-447]", () => {
  const fuse = new FakeLibfuse();
  const { bytes, view, address, sizeBytes } = allocate(PAGE_BYTES);
  const fill = (page: number) => {
    for (let word = 0; word < sizeBytes / 4; word++) {
      view.setInt32(word * 4, wordOf(page, word), true);
    }
  };
  const faults = { wrongRequests: 0, wrongBytes: 0, failed: 0 };
  const request = fuse.ask(3, 1) as Request;
  assert.equal(fuse.waiting, 1);
  fill(3);
  fuse.replyBytes(request, address, sizeBytes);
  assert.deepEqual([fuse.waiting, fuse.faults()], [0, faults]);
  assert(bytes.every((byte) => byte === 0xdb), "its memory is poisoned");
  fuse.replyBytes(request, address, sizeBytes);
  assert.deepEqual(fuse.faults(), { ...faults, wrongRequests: 1 }, "answered twice");
  fill(4);
  fuse.replyBytes(fuse.ask(3, 1) as Request, address, sizeBytes);
  assert.deepEqual(fuse.faults(), { ...faults, wrongRequests: 1, wrongBytes: 1 }, "another page");
  fuse.replyError(request, 5);
  assert.deepEqual(fuse.faults(), { ...faults, wrongRequests: 2, wrongBytes: 1 }, "never asked");
  fuse.replyError(fuse.ask(0, 1) as Request, 5);
  assert.deepEqual(fuse.faults(), { wrongRequests: 2, wrongBytes: 1, failed: 1 });
  fuse.ask(0, 1);
  assert(!fuse.waitUntil(0, 1), "never answered");
});
