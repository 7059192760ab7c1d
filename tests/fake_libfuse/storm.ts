/**
 * Many short reads, in bursts, through the pool, the queue and the read workers, with a
 * {@link FakeLibfuse} at the end. Prints what was found as a line of JSON:
 *
 * ```
 * deno run -A --v8-flags=--no-opt,--no-sparkplug,--no-maglev tests/fake_libfuse/storm.ts \
 *   --seconds 3 --workers 16 --seed 1 [--fault old-order|unchecked]
 * ```
 *
 * Interpreted code is slow between two loads, so that races that compiled code hides show.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Buffer } from "node:buffer";
import { deflateSync } from "node:zlib";
import { loadCodecs, type Piece, PieceReader } from "../../backup/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Fd, OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import type { Request } from "../../fuse/mod.ts";
import { makeMutants } from "../interleavings/mutants.ts";
import { OLD_ORDER, UNCHECKED } from "../interleavings/protocols.ts";
import { modulesWith } from "../interleavings/scenario.ts";
import { Random } from "../support/random.ts";
import { FakeLibfuse, type Faults, PAGE_BYTES, wordOf } from "./fake_libfuse.ts";
import type { StormWorkerSetup } from "./storm_worker.ts";

type QueueModule = typeof import("../../overlay/read/read_queue.ts");
type PoolModule = typeof import("../../overlay/read/read_pool.ts");

/** What a storm has found. */
export interface StormReport extends Faults {
  readonly asked: number;
  /** Requests that were answered by a worker, not at once. */
  readonly handedOver: number;
  /** Requests without an answer. */
  readonly never: number;
  /** Parts that the queue still waits for, or, if negative, that were done too often. */
  readonly pending: number;
  /** What workers told, without repetitions. */
  readonly errors: readonly string[];
}

const PAGES = 256;
const LARGE_PAGES = 40;
/** Nothing here takes as long, even on a machine that does much else. */
const NEVER_MS = 20_000;
const FAULTS: Readonly<Record<string, typeof OLD_ORDER>> = {
  "old-order": OLD_ORDER,
  unchecked: UNCHECKED,
};
const of = { path: "storm" as ByteString, backupId: "AAA", block: 0 };

/** A file of pages as they are, and then compressed, one after another. */
class Pages {
  readonly fd: Fd;
  readonly #records: Piece[] = [];

  constructor(path: string) {
    const stored: Uint8Array[] = [];
    const compressed: Uint8Array[] = [];
    let offsetBytes = PAGES * PAGE_BYTES;
    for (let page = 0; page < PAGES; page++) {
      const words = Int32Array.from({ length: PAGE_BYTES / 4 }, (_, word) => wordOf(page, word));
      const record = deflateSync(words, { level: 1 });
      stored.push(new Uint8Array(words.buffer));
      compressed.push(record);
      const range = { offsetBytes, sizeBytes: record.length };
      const wanted = { offsetBytes: 0, sizeBytes: PAGE_BYTES };
      this.#records.push({
        ...{ in: "record", fd: 0 as Fd, range, codec: "zlib" },
        ...{ decodedSizeBytes: PAGE_BYTES, wanted, of },
      });
      offsetBytes += record.length;
    }
    Deno.writeFileSync(path, new Uint8Array(Buffer.concat([...stored, ...compressed])));
    this.fd = systemLibc().open(path as ByteString, OPEN.readOnly);
  }

  /** One page as it is, or many that are compressed: these are divided between workers. */
  plan(firstPage: number, pages: number): Piece[] {
    const { fd } = this;
    if (pages > 1) {
      return this.#records.slice(firstPage, firstPage + pages).map((piece) => ({ ...piece, fd }));
    }
    const range = { offsetBytes: firstPage * PAGE_BYTES, sizeBytes: PAGE_BYTES };
    return [{ in: "file", fd, range, of }];
  }
}

async function storm(options: {
  readonly seconds: number;
  readonly workers: number;
  readonly seed: number;
  readonly fault: string | undefined;
}): Promise<StormReport> {
  await using mutants = await makeMutants(
    options.fault === undefined ? {} : {
      ...{
        "overlay/read/serve_reads.ts": {},
        "overlay/read/read_pool.ts": {},
        "overlay/read/read_jobs.ts": {},
      },
      ...FAULTS[options.fault],
    },
  );
  const { replaced } = mutants;
  const modules = modulesWith(replaced);
  const { ReadQueue, readQueueMemory } = await modules<QueueModule>("overlay/read/read_queue.ts");
  const { ReadPool } = await modules<PoolModule>("overlay/read/read_pool.ts");
  const dir = await Deno.makeTempDir({ prefix: "pbkfs-storm-" });
  const pages = new Pages(`${dir}/pages`);
  await Deno.remove(dir, { recursive: true });
  const readSizeBytesMax = LARGE_PAGES * PAGE_BYTES;
  const queue = readQueueMemory({ backupIds: ["AAA"], readSizeBytesMax });
  const fuse = new FakeLibfuse();
  const errors = new Set<string>();
  const workers = await startWorkers(
    options.workers,
    { queue, fuse: fuse.shared, replaced },
    errors,
  );
  const libc = systemLibc();
  const waiting = new PieceReader({ libc, codecs: await loadCodecs() });
  const cached = {
    read(): number {
      throw new PbkfsError("Io", { what: "Nothing is cached", errno: ERRNO.EAGAIN });
    },
  } as unknown as PieceReader;
  const count = options.workers;
  const pool = new ReadPool({ workers: { queue, count }, libc, cached, waiting });
  const random = new Random(options.seed);
  const target = allocate(readSizeBytesMax);
  let handedOver = 0;
  const read = (request: Request, firstPage: number, count: number) => {
    const size = pool.read(pages.plan(firstPage, count), target, request);
    if (size === "handedOver") handedOver++;
    else fuse.replyBytes(request, target.address, size);
  };
  let hasAnswers = true;
  for (const end = Date.now() + options.seconds * 1000; hasAnswers && Date.now() < end;) {
    for (let burst = random.between(1, 4); burst > 0; burst--) {
      const count = random.chance(0.01) ? LARGE_PAGES : 1;
      const firstPage = random.between(0, PAGES - count);
      const request = fuse.ask(firstPage, count);
      if (request !== undefined) read(request, firstPage, count);
    }
    hasAnswers = fuse.waitUntil(random.pick([0, 0, 0, 2]), NEVER_MS);
  }
  hasAnswers &&= fuse.waitUntil(0, NEVER_MS);
  const pending = await pendingOf(new ReadQueue(queue));
  if (hasAnswers && pending === 0) pool.close();
  await new Promise((resolve) => setTimeout(resolve, 0)); // What workers have told comes in.
  for (const worker of workers) worker.terminate();
  libc.close(pages.fd);
  const never = fuse.waiting;
  return { asked: fuse.asked, handedOver, never, pending, ...fuse.faults(), errors: [...errors] };
}

/** A worker that has answered still has to give the job back. */
async function pendingOf(queue: { readonly pending: number }): Promise<number> {
  for (const end = Date.now() + NEVER_MS; queue.pending > 0 && Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return queue.pending;
}

function startWorkers(
  count: number,
  setup: StormWorkerSetup,
  errors: Set<string>,
): Promise<Worker[]> {
  return Promise.all(Array.from({ length: count }, () => {
    const url = new URL("./storm_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const ready = Promise.withResolvers<Worker>();
    worker.onmessage = ({ data }) => {
      if (data === "ready") ready.resolve(worker);
      else errors.add(data.error);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      errors.add(event.message);
      ready.reject(new Error(event.message));
    };
    worker.postMessage(setup);
    return ready.promise;
  }));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "3" },
      workers: { type: "string", default: "16" },
      seed: { type: "string", default: "1" },
      fault: { type: "string" },
    },
  });
  const report = await storm({
    seconds: Number(values.seconds),
    workers: Number(values.workers),
    seed: Number(values.seed),
    fault: values.fault,
  });
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
  Deno.exit(0); // Workers that wait for ever do not keep it.
}
