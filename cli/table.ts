/**
 * Columns of text.
 *
 * @module
 */

import { terminalText } from "../daemon/mod.ts";

/** Lines with the cells of each column below each other, the first row being the heads. */
export function tableLines(cells: readonly (readonly string[])[]): string[] {
  // As they will be printed: what is escaped is longer.
  const rows = cells.map((row) => row.map(terminalText));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => [...row[column] ?? ""].length))
  );
  return rows.map((row) =>
    row.map((cell, column) => padded(cell, widths[column])).join("  ").trimEnd()
  );
}

/** `name   value`, a line each. */
export function factLines(facts: Readonly<Record<string, string>>): string[] {
  return tableLines(Object.entries(facts));
}

function padded(cell: string, width = 0): string {
  return cell + " ".repeat(width - [...cell].length);
}
