/**
 * Crashes a clone again and again:
 *
 * ```
 * deno task crash -- --cycles 100 --seed 7 [--kind kill|power|both] [--first 0]
 * ```
 *
 * `--kind kill` kills servers and daemons, `power` cuts the power under the diff. Of each failure it
 * prints how to see it again, and ends with status 1.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { killLife } from "./kill_life.ts";
import { messagesOf } from "../support/suppressed.ts";
import { type Life, livesOf } from "./life.ts";
import { powerLife } from "./power_life.ts";

const KINDS = { kill: [killLife], power: [powerLife], both: [killLife, powerLife] } as const;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((word) => word !== "--"),
    options: {
      cycles: { type: "string", default: "100" },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      kind: { type: "string", default: "both" },
      first: { type: "string", default: "0" },
    },
  });
  const number = (name: "cycles" | "seed" | "first"): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`--${name} is a number`);
    return value;
  };
  const kinds = KINDS[values.kind as keyof typeof KINDS];
  if (kinds === undefined) throw new TypeError(`--kind is one of ${Object.keys(KINDS).join(", ")}`);
  const options: Life = {
    cycles: number("cycles"),
    seed: number("seed"),
    first: number("first"),
    say,
  };
  let failures = 0;
  for (const live of kinds) {
    say(`${live.name}: ${options.cycles} cycles, --seed ${options.seed}`);
    for (const life of livesOf(options)) {
      try {
        await live(life);
      } catch (error) {
        failures++;
        say(`FAILED ${live.name}: ${messagesOf(error).join("\n")}`);
      }
    }
  }
  say(`${failures} lives failed; --seed ${options.seed}`);
  return failures === 0 ? 0 : 1;
}

function say(line: string): void {
  const time = new Date().toISOString().slice(11, 19);
  Deno.stdout.writeSync(new TextEncoder().encode(`${time} ${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
