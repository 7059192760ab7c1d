/**
 * Mounts that are read and written at random, one after another, while the machine is busy with
 * other things, too.
 *
 * @module
 */

import { playLife } from "./life.ts";
import { Random } from "../support/random.ts";
import { messagesOf } from "../support/suppressed.ts";

/** How long, and with which choices. */
export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Processes that only take time. */
const BUSY = 2;

/** @throws what was wrong in the first life that failed, with the seed that repeats it. */
export async function soak({ seconds, seed, say }: SoakOptions): Promise<void> {
  using _load = busyProcesses();
  const endsAt = Date.now() + seconds * 1000;
  for (let index = 0; index === 0 || Date.now() < endsAt; index++) {
    const prefix = `life ${index} of seed ${seed}`;
    const life = Random.of(seed, index).between(0, 2 ** 30);
    try {
      await playLife({ seed: life, endsAt, say: (line) => say(`${prefix}: ${line}`) });
    } catch (error) {
      throw new Error(`${prefix} failed: ${messagesOf(error).join("\n")}`, { cause: error });
    }
  }
}

function busyProcesses(): Disposable {
  const children = Array.from(
    { length: BUSY },
    () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"] }).spawn(),
  );
  return {
    [Symbol.dispose]() {
      for (const child of children) child.kill("SIGKILL");
    },
  };
}
