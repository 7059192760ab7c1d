/**
 * Mounts, reads and writes at random for as long as one likes:
 *
 * ```
 * deno task soak -- --seconds 3600 [--seed 7]
 * ```
 *
 * Of a failure it prints how to see it again, and ends with status 1.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { soak } from "./soak.ts";

function say(line: string): void {
  const time = new Date().toISOString().slice(11, 19);
  Deno.stdout.writeSync(new TextEncoder().encode(`${time} ${line}\n`));
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((word) => word !== "--"),
    options: {
      seconds: { type: "string", default: "3600" },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    },
  });
  const options = { seconds: Number(values.seconds), seed: Number(values.seed), say };
  say(`soaking for ${options.seconds} s, --seed ${options.seed}`);
  try {
    await soak(options);
    return 0;
  } catch (error) {
    say(`FAILED ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
