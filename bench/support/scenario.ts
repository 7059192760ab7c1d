/**
 * Runs scenarios, and prints what they measured.
 *
 * @module
 */

import { type BenchOptions, helpText, parseOptions } from "./options.ts";
import { report, type Row } from "./report.ts";
import { say, World } from "./world.ts";

/** A question about speed. */
export interface Scenario {
  /** The name of its table, and of its task after `bench:`. */
  readonly name: string;
  measure(world: World): Promise<Row[]>;
}

/** As told by the command line: runs scenarios one after another on the same catalogs. */
export async function main(scenarios: readonly Scenario[]): Promise<void> {
  let options: BenchOptions | undefined;
  try {
    options = parseOptions(Deno.args);
  } catch (error) {
    say(error instanceof Error ? error.message : `${error}`);
    Deno.exitCode = 2;
    return;
  }
  if (options === undefined) {
    Deno.stdout.writeSync(new TextEncoder().encode(helpText()));
    return;
  }
  const failed = await runScenarios(scenarios, options, report);
  if (failed.length > 0) Deno.exitCode = 1;
}

/**
 * Runs scenarios. One that fails does not keep the others from running.
 *
 * @param tell Gets what was measured, and the directory in which it was.
 * @returns What failed, with the name of the scenario.
 */
export async function runScenarios(
  scenarios: readonly Scenario[],
  options: BenchOptions,
  tell: (name: string, rows: readonly Row[], dirPath: string) => void,
): Promise<Error[]> {
  const failed: Error[] = [];
  await using world = World.make(options);
  // Whoever interrupts a run wants an end, but no mounts and no servers left.
  const interrupt = () => {
    say("interrupted: cleaning up");
    world[Symbol.asyncDispose]().finally(() => Deno.exit(130));
  };
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    for (const { name, measure } of scenarios) {
      say(name);
      try {
        tell(name, await measure(world), world.dirPath);
      } catch (cause) {
        say(`${name} failed: ${cause instanceof Error ? cause.stack : cause}`);
        failed.push(new Error(name, { cause }));
      }
    }
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
  return failed;
}
