/** `deno task compile`: one file with everything inside. */

import assert from "node:assert/strict";
import config from "../deno.json" with { type: "json" };
import { folderOf, sources } from "./support/imports.ts";
import { TempDir } from "./support/temp_dir.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const compile = config.tasks.compile.split(" ");

/** The modules that run in threads of their own: nobody imports them. */
function workers(): string[] {
  const own = sources().filter(({ path }) =>
    !["testing", "tests", "bench"].includes(folderOf(path))
  );
  const used = own.flatMap(({ imports }) => imports.filter((name) => name.endsWith("_worker.ts")));
  return [...new Set(used)].sort();
}

Deno.test("the compile task includes every module that is started as a worker [FR-765]", () => {
  const included = compile.flatMap((word, index) =>
    word === "--include" ? [compile[index + 1]] : []
  );
  assert.deepEqual(included.sort(), workers());
  assert(workers().length >= 2);
});

Deno.test("the compiled file has all modules, workers and WebAssembly inside [FR-765]", async () => {
  await using dir = TempDir.make();
  const program = `${dir.path}/pbkfs`;
  const output = compile.indexOf("--output") + 1;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: compile.slice(1).toSpliced(output - 1, 1, program),
    cwd: ROOT,
    // The runtime that goes with this Deno may not be at hand; any program stands in for it.
    env: { DENORT_BIN: Deno.execPath(), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, printed);
  for (const name of ["zstd-wasm", "commander", "logtape", "pako", "lz4js"]) {
    assert(printed.includes(name), `${name} in ${printed}`);
  }
  const inside = Deno.readFileSync(program).subarray(Deno.statSync(Deno.execPath()).size);
  const wasm = Deno.readFileSync(
    new URL("zstd.wasm", import.meta.resolve("@bokuweb/zstd-wasm")),
  );
  assert(holds(inside, wasm.subarray(1000, 1200)), "the WebAssembly of zstd");
  const names = [...await moduleGraph(), ...workers()];
  assert(names.length > 100);
  for (const name of names) {
    const text = Deno.readFileSync(ROOT + name);
    assert(holds(inside, text.subarray(0, 400)), `${name} is not inside`);
  }
});

/** A module, as `deno info` tells: what it imports for its types only has no `code`. */
interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
}

/** Our own modules that the program runs, by their paths. */
async function moduleGraph(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "cli.ts"],
    cwd: ROOT,
  }).output();
  const modules: Module[] = JSON.parse(new TextDecoder().decode(stdout)).modules;
  const found = new Set([`file://${ROOT}cli.ts`]);
  for (const url of found) {
    const { dependencies = [] } = modules.find(({ specifier }) => specifier === url) ?? {};
    for (const { code } of dependencies) {
      if (code?.specifier?.startsWith(`file://${ROOT}`)) found.add(code.specifier);
    }
  }
  return [...found].map((url) => url.slice(`file://${ROOT}`.length));
}

function holds(haystack: Uint8Array, needle: Uint8Array): boolean {
  const first = needle[0] ?? 0;
  for (let at = haystack.indexOf(first); at >= 0; at = haystack.indexOf(first, at + 1)) {
    if (needle.every((byte, index) => haystack[at + index] === byte)) return true;
  }
  return false;
}
