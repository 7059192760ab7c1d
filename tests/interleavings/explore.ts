/**
 * Explores the interleavings of a scenario until one is wrong, or none is left.
 *
 * @module
 */

import { findDataRace } from "./data_races.ts";
import { type Run, Runner, type ScenarioPlace } from "./runner.ts";
import { AllSchedules, BoundedSchedules } from "./search.ts";

/** What to explore, and how far. */
export interface Exploration extends ScenarioPlace {
  /** How often a thread that could go on is interrupted at most; all schedules if left out. */
  readonly interruptionsMax?: number;
  /** Gives up after so many. */
  readonly schedulesMax?: number;
  /** Told of each schedule that came to its end, if it is not wrong. */
  readonly onRun?: (run: Run, runner: Runner) => void;
}

/** What came of it. */
export interface Explored {
  readonly schedules: number;
  /** Schedules that were broken off, since what was left had been seen. */
  readonly redundant: number;
  /** false: `schedulesMax` was reached. */
  readonly isComplete: boolean;
  /** What was wrong, and the steps that led there. */
  readonly failure?: string;
}

/** Runs schedule after schedule. */
export async function explore(exploration: Exploration): Promise<Explored> {
  const { interruptionsMax, schedulesMax = Infinity } = exploration;
  using runner = await Runner.open(exploration);
  const search = interruptionsMax === undefined
    ? new AllSchedules(runner.scenario.threads.length)
    : new BoundedSchedules(interruptionsMax);
  let schedules = 0;
  let redundant = 0;
  for (let next = search.next(); next !== undefined; next = search.next()) {
    if (schedules >= schedulesMax) return { schedules, redundant, isComplete: false };
    const run = runner.run(next);
    schedules++;
    if (run.end === "redundant") redundant++;
    const wrong = whatIsWrong(run, runner);
    if (wrong !== undefined) {
      const failure = `${wrong}, after these steps:\n${runner.print(run.events)}`;
      return { schedules, redundant, isComplete: false, failure };
    }
    if (run.end !== "redundant") exploration.onRun?.(run, runner);
    search.ran(run);
  }
  return { schedules, redundant, isComplete: true };
}

function whatIsWrong(run: Run, { scenario, memory }: Runner): string | undefined {
  const { end, events, notes } = run;
  if (end === "thrown") return notes.map(({ error }) => error).find((error) => error !== undefined);
  if (end === "deadlock" && scenario.mayDeadlock !== true) return "Nobody can go on";
  if (end === "endless") return "The threads do not come to an end";
  if (end === "astray") return "The threads do not do the same in the same schedule";
  if (scenario.plainSteps !== true) {
    const race = findDataRace(events, scenario.threads.length);
    if (race !== undefined) return `Events ${race.join(" and ")} are not in order`;
  }
  if (end !== "done") return undefined;
  try {
    scenario.check(notes.map((each) => each.notes), memory);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
