/** The commit thread's engine, with a store that answers late: as one on another machine would. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ERRNO } from "../../errors.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";
import type { Ino, Request } from "../../fuse/mod.ts";
import { LateStore } from "../../testing/overlay/late_store.ts";
import { testMetadataStore } from "../../testing/overlay/metadata_store_suite.ts";
import { MemoryStore } from "../store/memory_store.ts";
import type { MetadataBatch } from "../store/metadata_store.ts";
import { CommitRing, RING } from "./commit_ring.ts";
import { type CommitOutcome, makeContext } from "./committer.ts";
import { serveCommits } from "./serve_commits.ts";
import { type CommitWorkerMessage, WorkerCommitter } from "./worker_committer.ts";

/** Until whatever else can be done has been done, as often as this. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve));
}

const stores = new Map<string, MemoryStore>();
testMetadataStore("a store that answers late [FR-1000]", (dirPath) => {
  const store = stores.get(dirPath) ?? new MemoryStore();
  stores.set(dirPath, store);
  let delays = 0;
  return new LateStore(store, () => turns(delays++ % 3));
});

const NONE = { inodes: [], names: [], contents: [], pages: [], extendedAttributes: [] };

/** Names the job by one record. */
function batchOf(sequence: number): MetadataBatch {
  const to = sequence as Ino;
  const name = { parent: 1 as Ino, name: `job ${sequence}` as never, to };
  return { ...NONE, names: [name], removed: [], nextNumbers: { nextIno: sequence, nextDataId: 1 } };
}

/** The engine between a port and a late store; what happens is written down. */
class Engine {
  readonly memory = new MemoryStore();
  readonly store: LateStore;
  readonly committer: WorkerCommitter;
  readonly events: string[] = [];
  readonly outcomes: CommitOutcome[] = [];
  readonly #ring: CommitRing;
  readonly #posted: MessagePort;
  #sequence = 0;
  #settled = 0;
  #epoch = 1;

  constructor(delay: () => Promise<void>) {
    const commit = this.memory.commit.bind(this.memory);
    this.memory.commit = (batches) => {
      commit(batches);
      for (const { names } of batches) {
        for (const { to } of names) this.events.push(`durable ${to}`);
      }
    };
    this.store = new LateStore(this.memory, delay);
    this.#ring = new CommitRing();
    const { shared } = this.#ring;
    const { port1, port2 } = new MessageChannel();
    this.#posted = port1;
    this.committer = new WorkerCommitter({ shared, port: port1 });
    const context = makeContext({
      store: this.store,
      libc: { close: () => this.events.push("directory closed") } as unknown as Libc,
      dataDirectory: "" as never,
      dataDirectoryFd: 3 as Fd,
      reply: (request, errno) => this.events.push(`reply ${request}: ${errno}`),
      onError: (what, error) => this.events.push(`${what}: ${(error as Error).message}`),
    });
    serveCommits({ port: port2, shared }, context);
  }

  submit(): number {
    const sequence = ++this.#sequence;
    this.committer.submit({
      ...{ sequence, epoch: this.#epoch, settled: this.#settled },
      request: sequence as unknown as Request,
      ...{ files: [], syncDirectory: false, names: batchOf(sequence) },
      ...{ contents: undefined, deletions: [] },
    });
    return sequence;
  }

  /** Learns of outcomes, as the journal does: after a failure a new epoch begins. */
  look(): void {
    for (const outcome of this.committer.outcomes()) {
      this.outcomes.push(outcome);
      this.#settled = outcome.sequence;
      const made = this.events.includes(`durable ${outcome.sequence}`);
      const told = this.events.some((event) => event.startsWith(`reply ${outcome.sequence}:`));
      assert.deepEqual(
        [made, told],
        [outcome.storeErrno === 0, true],
        "before its outcome is known",
      );
      if (outcome.storeErrno !== 0) this.#epoch = this.#sequence + 1;
    }
  }

  /** Until all that was submitted has an outcome. */
  async settle(): Promise<void> {
    for (this.look(); this.#settled < this.#sequence; this.look()) await turns(1);
  }

  /** What {@link WorkerCommitter.close} does, which would keep this thread from closing. */
  async close(): Promise<void> {
    this.#posted.postMessage({ close: true } satisfies CommitWorkerMessage);
    const closed = new Int32Array(this.#ring.shared);
    while (Atomics.load(closed, RING.at.closed) === 0) await turns(1);
    this.#posted.close();
  }
}

/** What must hold of what has happened. */
function check({ events, outcomes }: Engine): void {
  const durable = events.flatMap((event) => /^durable (.*)/.exec(event)?.[1] ?? []).map(Number);
  assert.deepEqual(durable, durable.toSorted((a, b) => a - b), "in their sequence");
  assert.equal(new Set(durable).size, durable.length, "each once");
  const replies = events.flatMap((event) => /^reply (.*)/.exec(event)?.[1] ?? []);
  assert.deepEqual(
    replies,
    outcomes.map(({ sequence, storeErrno }) => `${sequence}: ${storeErrno}`),
  );
  for (const { sequence, storeErrno } of outcomes) {
    const made = events.indexOf(`durable ${sequence}`);
    const told = events.indexOf(`reply ${sequence}: ${storeErrno}`);
    if (storeErrno === 0) {
      assert(made >= 0 && made < told, `${sequence} is told when it is durable`);
    } else assert.equal(made, -1, `${sequence} was told to have failed`);
  }
}

Deno.test("with a store that answers late, nothing is told before it is durable, nor out of order [FR-1001]", async () => {
  const steps = fc.array(fc.constantFrom("submit", "submit", "turn", "look", "fail"), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(steps, fc.array(fc.nat(3), { minLength: 1 }), async (steps, delays) => {
      let asked = 0;
      const engine = new Engine(() => turns(delays[asked++ % delays.length] as number));
      for (const step of steps) {
        if (step === "submit") engine.submit();
        else if (step === "look") engine.look();
        else if (step === "fail") engine.store.failures.push(ERRNO.EIO);
        else await turns(1);
      }
      await engine.settle();
      await engine.close();
      check(engine);
      assert.equal(engine.events.filter((event) => event === "directory closed").length, 1);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a late failure reaches all jobs that build on it, and none after it [FR-1001]", async () => {
  const gate = Promise.withResolvers<void>();
  const engine = new Engine(() => gate.promise);
  engine.store.failures.push(ERRNO.EIO);
  const first = engine.submit();
  await turns(3);
  const [second, third] = [engine.submit(), engine.submit()];
  await turns(3);
  assert.deepEqual(engine.events, [], "nothing is told yet");
  gate.resolve();
  await engine.settle();
  assert.deepEqual(
    engine.outcomes.map(({ sequence, storeErrno }) => [sequence, storeErrno]),
    [first, second, third].map((sequence) => [sequence, ERRNO.EIO]),
  );
  const fourth = engine.submit();
  await engine.settle();
  await engine.close();
  check(engine);
  assert.equal(engine.outcomes.at(-1)?.storeErrno, 0);
  assert.deepEqual(engine.memory.load().names.map(({ to }) => to), [fourth]);
});

Deno.test("jobs that come while a late store commits share the next commit [FR-1001]", async () => {
  let gate = Promise.withResolvers<void>();
  const engine = new Engine(() => gate.promise);
  engine.submit();
  await turns(3);
  for (let count = 0; count < 5; count++) engine.submit();
  await turns(3);
  const before = gate;
  gate = Promise.withResolvers<void>();
  gate.resolve();
  before.resolve();
  await engine.settle();
  assert.equal(engine.memory.load().generation, 2);
  await engine.close();
  check(engine);
});

Deno.test("the ring closes after all commits, also if the store cannot be closed [FR-1001]", async () => {
  const engine = new Engine(() => turns(2));
  engine.memory.close = () => {
    throw new Error("no more");
  };
  engine.submit();
  engine.submit();
  await engine.close();
  engine.look();
  check(engine);
  assert.equal(engine.outcomes.length, 2);
  assert.deepEqual(engine.events.slice(-2), ["directory closed", "close the metadata: no more"]);
});
