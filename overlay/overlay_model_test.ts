import assert from "node:assert/strict";
import fc from "fast-check";
import { BASE, sequences } from "../testing/overlay/steps.ts";
import { World } from "../testing/overlay/world.ts";
import { MemoryStore } from "./store/memory_store.ts";
import type { PromptStore } from "./store/metadata_store.ts";
import { SqliteStore } from "./store/sqlite_store.ts";

/** How many sequences; a longer search is `PBKFS_SEQUENCES=100000 deno test -A overlay/`. */
const SEQUENCES = Number(Deno.env.get("PBKFS_SEQUENCES") ?? 1000);
const SEED = Deno.env.get("PBKFS_SEED");

function checkSequences(options: {
  readonly count: number;
  readonly stepsMax: number;
  readonly openStore: (dirPath: string) => PromptStore;
  /** Whether read workers take part. */
  readonly workers: boolean;
}): void {
  const { count, stepsMax, openStore, workers } = options;
  let handedOver = 0;
  const seed = SEED === undefined ? {} : { seed: Number(SEED) };
  fc.assert(
    fc.property(sequences(stepsMax), (steps) => {
      const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
      const world = new World({ base: BASE, store: openStore(dirPath), dirPath, workers });
      try {
        world.compare();
        fc.modelRun(() => ({ model: {}, real: world }), steps);
        world.remount();
        world.compare();
        handedOver += world.reading.handedOver;
      } finally {
        world.close();
        Deno.removeSync(dirPath, { recursive: true });
      }
    }),
    { numRuns: count, ...seed },
  );
  assert.equal(handedOver > 0, workers, `${handedOver} reads were answered by workers`);
}

Deno.test("whatever happens to it, the overlay agrees with a model of a file system [FR-420]", () => {
  const count = Math.ceil(SEQUENCES * 0.6);
  checkSequences({ count, stepsMax: 60, openStore: () => new MemoryStore(), workers: false });
});

Deno.test("the same where read workers take what is not in the page cache [FR-420]", () => {
  const count = Math.ceil(SEQUENCES * 0.25);
  checkSequences({ count, stepsMax: 60, openStore: () => new MemoryStore(), workers: true });
});

Deno.test("the same with the store that mounts use [FR-420]", () => {
  checkSequences({
    count: Math.ceil(SEQUENCES / 20),
    stepsMax: 60,
    openStore: (dirPath) => new SqliteStore(`${dirPath}/metadata.sqlite`),
    workers: true,
  });
});
