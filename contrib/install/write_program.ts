/**
 * Writes what an installed pbkfs consists of into a directory: the modules that run, and nothing
 * that only tests need. Called by `install.sh`:
 *
 *     deno run -A write_program.ts TARGET
 *
 * Into TARGET go the modules, a `deno.json` with the packages that they import, and the lock file,
 * for `deno install` to check these packages by. The list of modules is Deno's own.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);

/** What we need of `deno info --json`. */
interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly specifier: string }[];
  }[];
}

/** The module that is started, and those that run in threads of their own, which nobody imports. */
function entries(): string[] {
  const words = config.tasks.compile.split(" ");
  return ["cli.ts", ...words.filter((_word, index) => words[index - 1] === "--include")];
}

/** All modules behind an entry. @throws {Error} If one is missing. */
async function graphOf(entry: string): Promise<ModuleGraph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(`deno info ${entry}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Writes it all. @param targetPath An existing, empty directory, absolute. */
async function writeProgram(targetPath: string): Promise<void> {
  const modules = (await Promise.all(entries().map(graphOf))).flatMap(({ modules }) => modules);
  const own = modules.map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith(ROOT.href))
    .map((specifier) => specifier.slice(ROOT.href.length));
  for (const path of new Set(own)) {
    const target = `${targetPath}/${path}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    // Not a copy: it would have the mode of a checkout that only its owner may read.
    await Deno.writeFile(target, await Deno.readFile(new URL(path, ROOT)));
  }
  const used = new Set(
    modules.flatMap(({ dependencies = [] }) => dependencies.map(({ specifier }) => specifier)),
  );
  const imports = Object.entries(config.imports).filter(([name]) => used.has(name));
  const { name, version } = config;
  const settings = {
    name,
    version,
    nodeModulesDir: "manual",
    imports: Object.fromEntries(imports),
  };
  await Deno.writeTextFile(`${targetPath}/deno.json`, `${JSON.stringify(settings, null, 2)}\n`);
  await Deno.writeFile(`${targetPath}/deno.lock`, await Deno.readFile(new URL("deno.lock", ROOT)));
}

await writeProgram(Deno.args[0] ?? "");
