/**
 * Cycles of crashes: a *life* is a diff from its beginning through some of them.
 *
 * @module
 */

import { CHAIN, type ServerSample, TABLESPACES } from "../support/samples.ts";

/** Some cycles on one diff. */
export interface Life {
  readonly seed: number;
  /** The number of its first cycle; all that happens follows from it and the seed. */
  readonly first: number;
  readonly cycles: number;
  /** Told what happens. */
  readonly say: (line: string) => void;
}

/** Cycles in one life: a failure is replayed from its beginning. */
export const CYCLES_A_LIFE = 5;

type AnySample = ServerSample<string | undefined>;

const SAMPLES: readonly AnySample[] = [CHAIN, TABLESPACES];

/** What a life is lived with: all combinations in turn. */
export function sampleOf(life: Life): { sample: AnySample; wal: "outside" | "inside" } {
  const number = Math.floor(life.first / CYCLES_A_LIFE);
  return {
    sample: SAMPLES[(number >> 1) % SAMPLES.length] as AnySample,
    wal: number % 2 === 0 ? "outside" : "inside",
  };
}

/** The lives that `cycles` cycles from `first` on are made of. */
export function livesOf(options: Life): Life[] {
  const lives: Life[] = [];
  const end = options.first + options.cycles;
  const start = options.first - options.first % CYCLES_A_LIFE;
  for (let first = start; first < end; first += CYCLES_A_LIFE) {
    lives.push({ ...options, first, cycles: Math.min(CYCLES_A_LIFE, end - first) });
  }
  return lives;
}

/** Runs a cycle; a failure tells how to see it again. */
export async function inCycle(
  life: Life,
  cycle: number,
  what: string,
  body: () => Promise<void>,
  log: () => string = () => "",
): Promise<void> {
  life.say(`cycle ${cycle}: ${what}`);
  try {
    await body();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const count = cycle - life.first + 1;
    throw new Error(
      `Cycle ${cycle} (${what}) failed: ${why}\nReplay: --seed ${life.seed} ` +
        `--first ${life.first} --cycles ${count}\n${log().slice(-4000)}`,
      { cause },
    );
  }
}
