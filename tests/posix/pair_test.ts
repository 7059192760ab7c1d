/** Random sequences, on a mount and on a plain copy of it. */

import fc from "fast-check";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { Pair, pairSteps } from "./pair.ts";

/** How many sequences; a longer search is `PBKFS_MOUNT_SEQUENCES=1000 deno test -A tests/posix/`. */
const SEQUENCES = Number(Deno.env.get("PBKFS_MOUNT_SEQUENCES") ?? 120);
/** In as many tests, each with its time limit. */
const PARTS = 5;
const STEPS_MAX = Number(Deno.env.get("PBKFS_MOUNT_STEPS") ?? 40);
const SEED = Deno.env.get("PBKFS_SEED");

/** Without them, it would be no data directory; or the next mount would put them in place. */
const KEPT = ["PG_VERSION", "postgresql.conf", "postgresql.auto.conf", "pbkfs.conf"];
/** What the steps know of; without the rest, comparing takes less time. */
const DIRS = ["base/1", "global", "pg_notify", "pg_logical"];

/** Leaves only these directories and files, in the mount. */
function thinOut(dirPath: string, below = ""): void {
  for (const entry of Deno.readDirSync(`${dirPath}/${below}`)) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const isOnTheWay = DIRS.some((dir) => `${dir}/`.startsWith(`${path}/`));
    const isKept = DIRS.includes(below) && /^(1|PG_|2619$|pg_)/.test(entry.name);
    if (isOnTheWay && entry.isDirectory) thinOut(dirPath, path);
    else if (!isKept && !KEPT.includes(path)) {
      Deno.removeSync(`${dirPath}/${path}`, { recursive: true });
    }
  }
}

for (let part = 1; part <= PARTS; part++) {
  testUnless(
    mountObstacle(),
    `whatever is done to a mount, a plain directory looks the same, part ${part} of ${PARTS} [FR-440]`,
    async () => {
      const seed = SEED === undefined ? {} : { seed: Number(SEED) };
      await using scene = await Scene.open({ fixture: "zlib-chain", owner: ownIdentity() });
      await fc.assert(
        fc.asyncProperty(pairSteps(STEPS_MAX), async (steps) => {
          const plainDir = `${scene.dirPath}/plain`;
          let mount = await scene.mount("TOTL9U");
          try {
            thinOut(scene.mountDir);
            new Deno.Command("cp", { args: ["-a", scene.mountDir, plainDir] }).outputSync();
            const pair = new Pair({
              mountDir: scene.mountDir,
              plainDir,
              remount: async () => {
                await mount.unmount();
                mount = await scene.mount("TOTL9U");
              },
            });
            try {
              await fc.asyncModelRun(() => ({ model: {}, real: pair }), steps);
              pair.compare();
              await pair.remount();
              pair.compare();
            } finally {
              pair.closeAll();
            }
          } finally {
            await mount[Symbol.asyncDispose]();
            for (const path of [plainDir, scene.diffDir]) {
              await Deno.remove(path, { recursive: true });
            }
          }
        }),
        { numRuns: Math.ceil(SEQUENCES / PARTS), ...seed },
      );
    },
  );
}

function ownIdentity(): { uid: number; gid: number } {
  return { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
}
