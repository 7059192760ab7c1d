/**
 * Prints what was measured: a table for people, and JSON beside it.
 *
 * @module
 */

import { describeMachine } from "./machine.ts";
import type { PairedFigures, Spread } from "./pairs.ts";

/** One line of a table: measured beside something else, alone, or not at all. */
export type Row = PairedRow | LoneRow | MissingRow;

/** Measured in turn with something else. */
export interface PairedRow {
  readonly what: string;
  readonly against: string;
  readonly unit: string;
  readonly figures: PairedFigures;
  /** What we want the ratio to be, such as `≥ 0.95`. */
  readonly aim?: string;
}

/** Told, and not compared. */
export interface LoneRow {
  readonly what: string;
  readonly unit: string;
  readonly alone: Spread;
  readonly runs: number;
  /** What we want the figure to be. */
  readonly aim?: string;
}

/** Could not be measured here. */
export interface MissingRow {
  readonly what: string;
  readonly missing: string;
}

/** Prints a table, and writes `bench/results/NAME.json`. */
export function report(name: string, rows: readonly Row[]): void {
  const machine = describeMachine();
  const lines = [
    `# ${name}`,
    Object.entries(machine).map(([key, value]) => `${key} ${value}`).join(", "),
    "",
    "| what | against | ours | other | ratio (min, median, max) | runs | aim |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${cellsOf(row).join(" | ")} |`),
    "",
  ];
  const encoder = new TextEncoder();
  Deno.stdout.writeSync(encoder.encode(`${lines.join("\n")}\n`));
  const directory = new URL("../results/", import.meta.url);
  Deno.mkdirSync(directory, { recursive: true });
  const json = JSON.stringify({ name, machine, rows }, null, 2);
  Deno.writeTextFileSync(new URL(`${name}.json`, directory), `${json}\n`);
}

function cellsOf(row: Row): (string | number)[] {
  if ("missing" in row) return [row.what, "", `not measured: ${row.missing}`, "", "", "", ""];
  const { what, unit, aim = "" } = row;
  if ("alone" in row) {
    const { min, median, max } = row.alone;
    const ours = row.runs === 1
      ? `${short(median)} ${unit}`
      : `${[min, median, max].map(short).join(", ")} ${unit}`;
    return [what, "", ours, "", "", row.runs, aim];
  }
  const { ours, other, ratio, pairs } = row.figures;
  return [
    what,
    row.against,
    `${short(ours.median)} ${unit}`,
    `${short(other.median)} ${unit}`,
    threeOf(ratio),
    pairs,
    aim,
  ];
}

function threeOf({ min, median, max }: Spread): string {
  return [min, median, max].map((number) => number.toFixed(2)).join(", ");
}

function short(number: number): string {
  if (number === 0) return "0";
  return number >= 100 ? number.toFixed(0) : number.toPrecision(3);
}
