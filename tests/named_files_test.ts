/** What documents and comments call a file or a folder of the project is there. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { sources } from "./support/imports.ts";

const ROOT = new URL("../", import.meta.url);
/** Those that tell of the code. */
const DOCUMENTS = [
  "ARCHITECTURE.md",
  "backup/README.md",
  "backup/pg_probackup/locks/README.md",
  "bench/README.md",
  "binding/README.md",
  "contrib/README.md",
];

/** Names of our files between backticks, seen from the top or from any folder. */
const namesIn = (text: string) =>
  [...text.matchAll(/`((?:[\w.-]+\/)*[\w-]+\.ts)`/g)].map(([, name = ""]) => name);

const texts = [
  ...sources(),
  ...DOCUMENTS.map((path) => ({ path, text: Deno.readTextFileSync(new URL(path, ROOT)) })),
];
const known = sources().map(({ path }) => `/${path}`);

Deno.test("a file that a document or a comment names is there [FR-1031]", () => {
  const named = texts.flatMap(({ path, text }) => namesIn(text).map((name) => ({ path, name })));
  assert(named.some(({ path }) => path === "ARCHITECTURE.md"));
  const missing = named.filter(({ path, name }) =>
    !existsSync(new URL(name, new URL(path, ROOT))) &&
    !known.some((file) => file.endsWith(`/${name}`))
  );
  assert.deepEqual(missing, []);
});
