import fc from "fast-check";
import { MemoryStore } from "./memory_store.ts";
import type { MetadataStore } from "./metadata_store.ts";
import { SqliteStore } from "./sqlite_store.ts";
import { BASE, sequences } from "./_steps.ts";
import { World } from "./_world.ts";

/** How many sequences; a longer search is `PBKFS_SEQUENCES=100000 deno test -A overlay/`. */
const SEQUENCES = Number(Deno.env.get("PBKFS_SEQUENCES") ?? 1000);
const SEED = Deno.env.get("PBKFS_SEED");

function checkSequences(options: {
  readonly count: number;
  readonly stepsMax: number;
  readonly openStore: (dirPath: string) => MetadataStore;
}): void {
  const { count, stepsMax, openStore } = options;
  const seed = SEED === undefined ? {} : { seed: Number(SEED) };
  fc.assert(
    fc.property(sequences(stepsMax), (steps) => {
      const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
      const world = new World({ base: BASE, store: openStore(dirPath), dirPath });
      try {
        world.compare();
        fc.modelRun(() => ({ model: {}, real: world }), steps);
        world.remount();
        world.compare();
      } finally {
        world.close();
        Deno.removeSync(dirPath, { recursive: true });
      }
    }),
    { numRuns: count, ...seed },
  );
}

Deno.test("FR-420 whatever happens to it, the overlay agrees with a model of a file system", () => {
  checkSequences({ count: SEQUENCES, stepsMax: 60, openStore: () => new MemoryStore() });
});

Deno.test("FR-420 the same with the store that mounts use", () => {
  checkSequences({
    count: Math.ceil(SEQUENCES / 20),
    stepsMax: 60,
    openStore: (dirPath) => new SqliteStore(`${dirPath}/metadata.sqlite`),
  });
});
