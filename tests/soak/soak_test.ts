/** Some lives of what `deno task soak` does for as long as one likes. */

import { mountObstacle, testUnless } from "../support/skip.ts";
import { soak } from "./soak.ts";

testUnless(
  mountObstacle(),
  "mounts that are read and written at random give the right bytes, and nothing hangs [FR-448]",
  async () => {
    const seed = Math.floor(Math.random() * 1_000_000);
    const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
    await soak({ seconds: 40, seed, say });
  },
);
