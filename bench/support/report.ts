/**
 * Prints what was measured: a table for people, and JSON beside it.
 *
 * @module
 */

import { describeMachine } from "./machine.ts";
import type { PairedFigures, Spread } from "./pairs.ts";

/** One line of a table. */
export interface Row {
  readonly what: string;
  readonly against: string;
  readonly unit: string;
  readonly figures: PairedFigures;
  /** What we want the ratio to be, such as `≥ 0.95`. */
  readonly aim?: string;
}

/** Prints a table, and writes `bench/results/NAME.json`. */
export function report(name: string, rows: readonly Row[]): void {
  const machine = describeMachine();
  const lines = [
    `# ${name}`,
    Object.entries(machine).map(([key, value]) => `${key} ${value}`).join(", "),
    "",
    "| what | against | ours | other | ratio (min, median, max) | pairs | aim |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(({ what, against, unit, figures, aim }) => {
      const { ours, other, ratio, pairs } = figures;
      const cells = [
        what,
        against,
        `${short(ours.median)} ${unit}`,
        `${short(other.median)} ${unit}`,
        threeOf(ratio),
        pairs,
        aim ?? "",
      ];
      return `| ${cells.join(" | ")} |`;
    }),
    "",
  ];
  const encoder = new TextEncoder();
  Deno.stdout.writeSync(encoder.encode(`${lines.join("\n")}\n`));
  const directory = new URL("../results/", import.meta.url);
  Deno.mkdirSync(directory, { recursive: true });
  const json = JSON.stringify({ name, machine, rows }, null, 2);
  Deno.writeTextFileSync(new URL(`${name}.json`, directory), `${json}\n`);
}

function threeOf({ min, median, max }: Spread): string {
  return [min, median, max].map((number) => number.toFixed(2)).join(", ");
}

function short(number: number): string {
  return number >= 100 ? number.toFixed(0) : number.toPrecision(3);
}
