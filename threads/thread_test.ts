import assert from "node:assert/strict";
import { PbkfsError } from "../errors.ts";
import type { SampleSetup } from "../testing/threads/sample_thread.ts";
import { Thread } from "./mod.ts";

type SampleThread = Thread<boolean, SampleSetup, ArrayBuffer, string>;

const sample = (): SampleThread =>
  new Thread(new URL("../testing/threads/sample_thread.ts", import.meta.url));

function setupOf(parts: Partial<SampleSetup> = {}): SampleSetup {
  return { buffer: new ArrayBuffer(8), news: [], runs: false, ...parts };
}

Deno.test("a thread loads, begins with what is handed over, tells its news, and ends [FR-1004]", async () => {
  const thread = await sample().load(true);
  const news: string[] = [];
  const setup = setupOf({ news: ["one", "two"], runs: true });
  const back = await thread.begin(setup, {
    transfer: [setup.buffer],
    onNews: (line) => news.push(line),
  });
  assert.deepEqual([setup.buffer.byteLength, back.byteLength], [0, 8]);
  await thread.ended;
  assert.deepEqual(news, ["one", "two"]);
  thread.terminate();
});

Deno.test("a thread that cannot begin tells why, with the code of its error [FR-1004]", async () => {
  const thread = await sample().load(true);
  await assert.rejects(thread.begin(setupOf({ failsAt: "begin" })), (error) => {
    assert(error instanceof PbkfsError);
    assert.deepEqual([error.code, error.message], ["DiffInUse", "It fails at begin"]);
    return true;
  });
});

Deno.test("a thread that cannot load its code tells why [FR-1004]", async () => {
  await assert.rejects(sample().load(false), /no such codec/);
  const nowhere = new URL("./there_is_no_such_thread.ts", import.meta.url);
  await assert.rejects(new Thread(nowhere).load(undefined), PbkfsError);
});

Deno.test("what fails in a thread at work is told to who waits for its end [FR-1004]", async () => {
  const running = await sample().load(true);
  await running.begin(setupOf({ failsAt: "run", runs: true }));
  await assert.rejects(running.ended, { code: "DiffInUse" });
  running.terminate();
  const woken = await sample().load(true);
  await woken.begin(setupOf({ failsAt: "later" }));
  await assert.rejects(woken.ended, /It fails at later/);
  woken.terminate();
});
