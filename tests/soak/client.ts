/**
 * A process with several threads that work on a mount, and one that looks whether they hang. Its
 * argument is a file with a {@link ClientTask}; it prints a {@link ClientReport}.
 *
 * @module
 */

import { byteStringOf } from "../../ffi/bytes.ts";
import { dropCached, withFile } from "../support/posix.ts";
import type { ThreadNews, ThreadTask } from "./client_thread.ts";

/** What a client is told. */
export interface ClientTask {
  readonly threads: readonly Omit<ThreadTask, "beat">[];
  /** An operation that takes longer hangs. */
  readonly limitSeconds: number;
  /** What the kernel has of these files is dropped now and then, so that the disk is asked. */
  readonly coldPaths: readonly string[];
}

/** What became of it. */
export interface ClientReport {
  readonly operations: number;
  readonly failures: readonly string[];
}

const DROP_EVERY_MS = 300;
const LOOK_EVERY_MS = 500;

function report(outcome: ClientReport): never {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(outcome)}\n`));
  // A thread that hangs in the kernel dies with its process.
  Deno.exit(0);
}

async function main({ threads, limitSeconds, coldPaths }: ClientTask): Promise<void> {
  let operations = 0;
  const failures: string[] = [];
  const beats = threads.map(() => new SharedArrayBuffer(4));
  const ends = threads.map((task, index) => {
    const url = new URL("./client_thread.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const ended = Promise.withResolvers<void>();
    worker.onmessage = ({ data }: MessageEvent<ThreadNews>) => {
      if ("failed" in data) failures.push(data.failed);
      else operations += data.done;
      worker.terminate();
      ended.resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      failures.push(event.message);
      ended.resolve();
    };
    worker.postMessage({ ...task, beat: beats[index] as SharedArrayBuffer } satisfies ThreadTask);
    return ended.promise;
  });
  setInterval(() => {
    for (const path of coldPaths) withFile(byteStringOf(path), 0, dropCached);
  }, DROP_EVERY_MS);
  setInterval(() => {
    const hanging = beats.filter((beat) => {
      const since = Atomics.load(new Int32Array(beat), 0);
      return since !== 0 && Date.now() / 1000 - since > limitSeconds;
    });
    if (hanging.length === 0) return;
    const text = `${hanging.length} threads hang for more than ${limitSeconds} s`;
    report({ operations, failures: [...failures, text] });
  }, LOOK_EVERY_MS);
  await Promise.all(ends);
  report({ operations, failures });
}

if (import.meta.main) await main(JSON.parse(Deno.readTextFileSync(Deno.args[0] ?? "")));
