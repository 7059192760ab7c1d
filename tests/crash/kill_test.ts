/** Servers and daemons that are killed: a few cycles of what `deno task crash` does at length. */

import { sampleObstacle } from "../support/samples.ts";
import { testUnless } from "../support/skip.ts";
import { killLife } from "./kill_life.ts";
import { CYCLES_A_LIFE } from "./life.ts";

const obstacle = sampleObstacle();

for (const [index, wal] of ["outside", "inside"].entries()) {
  testUnless(
    obstacle,
    `pg_wal ${wal}: servers and daemons are killed, and no acknowledged commit is lost [FR-610]`,
    () => killLife({ seed: 20, first: index * CYCLES_A_LIFE, cycles: 2, say: () => {} }),
  );
}
