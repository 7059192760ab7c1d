/** What nobody uses: it need not be read, kept right, or explained. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import config from "../deno.json" with { type: "json" };
import { folderOf, type Source, sources } from "./support/imports.ts";

const OUTSIDERS = ["testing", "tests", "bench", "contrib"];
const ROOT = new URL("../", import.meta.url);

/** What only rigs import, and which their own folder cannot have. */
const FOR_RIGS: Readonly<Record<string, string>> = {
  "ffi/encoders.ts zlibEncoder": "only ffi/ opens libraries",
  "ffi/encoders.ts lz4Encoder": "only ffi/ opens libraries",
  "ffi/encoders.ts zstdEncoder": "only ffi/ opens libraries",
  "ffi/serving_libc.ts interceptLibc": "the hook for faults",
  "daemon/own_command.ts startAgainAs": "for main modules that are not cli.ts",
};

/** A file, and each word of its code: what comments say does not count. */
interface Worded extends Source {
  readonly code: string;
  readonly words: ReadonlyMap<string, number>;
}

const files = sources().map((source): Worded => {
  const code = source.text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const words = new Map<string, number>();
  for (const [word] of code.matchAll(/\w+/g)) words.set(word, (words.get(word) ?? 0) + 1);
  return { ...source, code, words };
});
const isOfProduct = ({ path }: Source) =>
  !path.endsWith("_test.ts") && !OUTSIDERS.includes(folderOf(path));

/** A door hands on what lies behind it; the one at the top is for other programs. */
const isDoor = ({ path }: Source) => path.endsWith("/mod.ts");

/** Names of functions, classes and constants; types may be there to be read. */
function exportedValues({ code }: Worded): string[] {
  const declared = /^export (?:async |abstract )?(?:function\*?|class|const|let) (\w+)/gm;
  return [...code.matchAll(declared)].map(([, name = ""]) => name);
}

/** All that the product exports, but for what its doors do. */
function exported(): { readonly from: Worded; readonly name: string }[] {
  return files.filter((file) => isOfProduct(file) && file.path.includes("/") && !isDoor(file))
    .flatMap((from) => exportedValues(from).map((name) => ({ from, name })));
}

Deno.test("what a file of the product exports, another file names [FR-1021]", () => {
  const unused = exported().filter(({ from, name }) =>
    !files.some((file) => file.path !== from.path && !isDoor(file) && file.words.has(name))
  );
  assert.deepEqual(unused.map(({ from, name }) => `${from.path} ${name}`), []);
});

Deno.test("what only tests name, the product uses as well [FR-1021]", () => {
  const others = files.filter((file) => isOfProduct(file) && !isDoor(file));
  const unused = exported().filter(({ from, name }) =>
    from.words.get(name) === 1 &&
    !others.some((file) => file.path !== from.path && file.words.has(name))
  );
  const found = unused.map(({ from, name }) => `${from.path} ${name}`).sort();
  assert.deepEqual(found, Object.keys(FOR_RIGS).sort());
});

Deno.test("every task leads to files and tasks that there are [FR-1022]", () => {
  for (const [name, command] of Object.entries(config.tasks)) {
    const paths = command.match(/[\w./]+\.ts\b/g) ?? [];
    for (const path of paths) assert(existsSync(new URL(path, ROOT)), `${name} runs ${path}`);
    for (const [, task = ""] of command.matchAll(/\bdeno task ([\w:]+)/g)) {
      assert(task in config.tasks, `${name} runs the task ${task}`);
    }
  }
});
