import assert from "node:assert/strict";
import { sources } from "./support/imports.ts";

/** The test files, with what their comments say left out. */
function testFiles(): { readonly path: string; readonly code: string }[] {
  return sources().filter(({ path }) => path.endsWith("_test.ts")).map(({ path, text }) => {
    const code = text.replace(/^\s*\/\/.*$|\/\*\*?\s[\s\S]*?\*\//gm, "");
    return { path, code };
  });
}

/** Which test files have tests that show a promise, from the tags in the tests' names. */
function testsById(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { path, code } of testFiles()) {
    const tags = code.matchAll(/ \[(FR-\d{3,4})\]/g);
    for (const id of new Set([...tags].map(([, id = ""]) => id))) {
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

Deno.test("REQUIREMENTS.md names the tests of each promise, and every test's promise [FR-302]", () => {
  const sorted = (map: Map<string, string[]>) =>
    Object.fromEntries([...map].map(([id, files]) => [id, files.toSorted()] as const).toSorted());
  assert.deepEqual(sorted(tableOfRequirements()), sorted(testsById()));
});

Deno.test("a test's name says what it shows, and only then for which promise [FR-302]", () => {
  const wrong = testFiles().flatMap(({ path, code }) =>
    [...code.matchAll(/["`]FR-\d{3,4}[ :].*/g)].map(([name]) => `${path}: ${name}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("an id stands for one promise [FR-302]", () => {
  const ids = requirementLines().map((line) => Number(/^\| FR-(\d{3,4}) /.exec(line)?.[1]));
  assert.deepEqual(ids, [...new Set(ids)].sort((one, other) => one - other));
});
