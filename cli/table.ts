/**
 * Columns of text.
 *
 * @module
 */

import { terminalText } from "../observe/mod.ts";
import { textWidth } from "./text_width.ts";

type Rows = readonly (readonly string[])[];

/** Lines with the cells of each column below each other, the first row being the heads. */
export function tableLines(cells: Rows): string[] {
  // As they will be printed: what is escaped is longer.
  const rows = cells.map((row) => row.map(terminalText));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => textWidth(row[column] ?? "")))
  );
  return rows.map((row) =>
    row.map((cell, column) => padded(cell, widths[column])).join("  ").trimEnd()
  );
}

/** How a table is made narrow. */
export interface FitOptions {
  /** In columns of the terminal. */
  readonly width: number;
  /** Heads of the columns that may be left out, the least important first. */
  readonly optional: readonly string[];
}

/**
 * The same, no wider than the terminal as far as that can be: columns are left out, and then the
 * first one gets a line of its own. It is never cut short: people copy what is in it.
 */
export function fittedLines(cells: Rows, { width, optional }: FitOptions): string[] {
  for (const layout of [tableLines, stackedLines]) {
    for (let left = 0; left <= optional.length; left++) {
      const lines = layout(without(cells, optional.slice(0, left)));
      const told = layout === tableLines ? lines : lines.filter((_, index) => index % 2 === 1);
      if (told.every((line) => textWidth(line) <= width)) return lines;
    }
  }
  return stackedLines(without(cells, optional));
}

/** `name   value`, a line each. */
export function factLines(facts: Readonly<Record<string, string>>): string[] {
  return tableLines(Object.entries(facts));
}

/** Each row as two lines: the first cell, and the others below. */
function stackedLines(cells: Rows): string[] {
  const others = tableLines(cells.map((row) => row.slice(1)));
  return cells.flatMap((row, index) => [terminalText(row[0] ?? ""), `  ${others[index]}`]);
}

function without(cells: Rows, heads: readonly string[]): Rows {
  const isKept = (cells[0] ?? []).map((head) => !heads.includes(head));
  return cells.map((row) => row.filter((_, column) => isKept[column]));
}

function padded(cell: string, width = 0): string {
  return cell + " ".repeat(width - textWidth(cell));
}
