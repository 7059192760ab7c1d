import assert from "node:assert/strict";
import { sources } from "./support/imports.ts";

/** Which test files have tests that show a promise, from the tests' names. */
function testsById(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { path, text } of sources()) {
    if (!path.endsWith("_test.ts")) continue;
    const names = text.matchAll(/["`](FR-\d{3,4}) /g);
    for (const id of new Set([...names].map(([, id = ""]) => id))) {
      found.set(id, [...(found.get(id) ?? []), path]);
    }
  }
  return found;
}

function requirementLines(): string[] {
  const text = Deno.readTextFileSync(new URL("REQUIREMENTS.md", import.meta.url));
  return text.split("\n").filter((line) => /^\| FR-/.test(line));
}

/** The table of REQUIREMENTS.md: id to the test files that it names. */
function tableOfRequirements(): Map<string, string[]> {
  return new Map(
    requirementLines().map((line) => {
      const cells = line.split("|").map((cell) => cell.trim());
      return [cells[1] ?? "", [...(cells[3] ?? "").matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? "")];
    }),
  );
}

Deno.test("FR-302 REQUIREMENTS.md names the tests of each promise, and every test's promise", () => {
  const sorted = (map: Map<string, string[]>) =>
    Object.fromEntries([...map].map(([id, files]) => [id, files.toSorted()] as const).toSorted());
  assert.deepEqual(sorted(tableOfRequirements()), sorted(testsById()));
});

Deno.test("FR-302 an id stands for one promise", () => {
  const ids = requirementLines().map((line) => Number(/^\| FR-(\d{3,4}) /.exec(line)?.[1]));
  assert.deepEqual(ids, [...new Set(ids)].sort((one, other) => one - other));
});
