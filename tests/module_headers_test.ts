/** The first sentence of a module says what it is, to somebody who has never seen it. */

import assert from "node:assert/strict";
import { folderOf, sources } from "./support/imports.ts";

const OUTSIDERS = ["testing", "tests", "bench", "contrib"];
const HEADER = /^(?:#!.*\n)?\/\*\*\s+(?:\* )?((?:(?!\*\/)[\s\S])*)@module\b/;
/** A header that begins like this names a question, and leaves open what the module is. */
const QUESTION = /^(?:What|Who|Whom|Whose|Where|How|Whether|Which|When|Why)\b/;

const modules = sources().filter(({ path }) =>
  !path.endsWith("_test.ts") && !OUTSIDERS.includes(folderOf(path))
);

/** The text of a module's header, from its first word; undefined if it has none. */
const headerOf = (text: string) => HEADER.exec(text)?.[1];

Deno.test("each module of the product has a header that does not begin as a question [FR-1030]", () => {
  assert(modules.length > 0);
  const without = modules.filter(({ text }) => headerOf(text) === undefined);
  assert.deepEqual(without.map(({ path }) => path), []);
  const riddles = modules.filter(({ text }) => QUESTION.test(headerOf(text) ?? ""));
  assert.deepEqual(riddles.map(({ path }) => path), []);
});

Deno.test("a header that begins as a question is seen as one [FR-1030]", () => {
  const headers = [
    "/** Which pages it has. @module */",
    "/**\n * How it ends.\n *\n * @module\n */\n",
  ];
  for (const text of headers) assert.match(headerOf(text) ?? "", QUESTION);
  assert.doesNotMatch(headerOf("/**\n * Howitzers.\n *\n * @module\n */") ?? "", QUESTION);
  assert.equal(headerOf("/** Which pages it has. */\nexport {};\n/** @module */"), undefined);
});
