/**
 * Explores the protocols in shared memory further than the suite does:
 *
 * ```
 * deno task interleavings [-- NAME...]
 * ```
 *
 * Of a failure it prints the steps, and ends with status 1.
 *
 * @module
 */

import { explore } from "./explore.ts";
import { makeMutants } from "./mutants.ts";
import {
  boundText,
  BROKEN_QUEUE,
  limitOf,
  OLD_ORDER,
  type ProtocolCase,
  PROTOCOLS,
} from "./protocols.ts";
import type { ScenarioPlace } from "./runner.ts";

const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

async function main(names: readonly string[]): Promise<number> {
  await using mutants = await makeMutants(OLD_ORDER);
  const broken: ProtocolCase & ScenarioPlace = {
    ...{ ...BROKEN_QUEUE, replaced: mutants.replaced },
    ...{ protocol: "read queue", inSuite: 0, whole: "all" },
  };
  let status = 0;
  for (const each of [...PROTOCOLS, broken]) {
    const { protocol, name, whole } = each;
    if (names.length > 0 && !names.includes(name)) continue;
    const start = performance.now();
    const { schedules, failure } = await explore({ ...each, ...limitOf(whole) });
    const seconds = ((performance.now() - start) / 1000).toFixed();
    print(`${protocol}, ${name}: ${schedules} schedules, ${boundText(whole)}, ${seconds} s`);
    if (failure === undefined) continue;
    print(failure);
    status = 1;
  }
  return status;
}

if (import.meta.main) Deno.exit(await main(Deno.args.filter((word) => word !== "--")));
