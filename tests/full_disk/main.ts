/**
 * Fills the disk of a clone again and again:
 *
 * ```
 * deno task full_disk -- --rounds 6 --seed 7 [--megabytes 64,256,1024] [--place clone|plain]
 *   [--wal inside,outside,elsewhere]
 * ```
 *
 * Of each failure it prints how to see it again, and ends with status 1.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { messagesOf } from "../support/suppressed.ts";
import { liveOnFullDisk, type Story } from "./story.ts";

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((word) => word !== "--"),
    options: {
      rounds: { type: "string", default: "6" },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      megabytes: { type: "string", default: "64,256,1024" },
      wal: { type: "string", default: "inside,outside,elsewhere" },
      place: { type: "string", default: "clone" },
    },
  });
  let failures = 0;
  for (const megabytes of values.megabytes.split(",").map(Number)) {
    for (const wal of values.wal.split(",") as Story["wal"][]) {
      const { rounds, seed, place } = values;
      const numbers = { megabytes, rounds: Number(rounds), seed: Number(seed) };
      try {
        await liveOnFullDisk({ ...numbers, wal, place: place as Story["place"], say });
      } catch (error) {
        failures++;
        say(`FAILED ${messagesOf(error).join("\n")}`);
      }
    }
  }
  say(`${failures} stories failed; --seed ${values.seed}`);
  return failures === 0 ? 0 : 1;
}

function say(line: string): void {
  const time = new Date().toISOString().slice(11, 19);
  Deno.stdout.writeSync(new TextEncoder().encode(`${time} ${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
