/** The power goes under the diff: a few cycles of what `deno task crash` does at length. */

import { sampleObstacle } from "../support/samples.ts";
import { type Obstacle, testUnless } from "../support/skip.ts";
import { isRoot } from "../support/users.ts";
import { CYCLES_A_LIFE } from "./life.ts";
import { powerLife } from "./power_life.ts";

const rootObstacle: Obstacle = isRoot() ? undefined : "files of several owners need root";
const obstacle = sampleObstacle() ?? rootObstacle;

for (const [index, wal] of ["outside", "inside"].entries()) {
  testUnless(
    obstacle,
    `pg_wal ${wal}: the power is cut, and no acknowledged commit is lost [FR-612]`,
    () => powerLife({ seed: 21, first: index * CYCLES_A_LIFE, cycles: 2, say: () => {} }),
  );
}
