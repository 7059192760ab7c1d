/**
 * Who imports whom, from the sources' text.
 *
 * @module
 */

/** One file of the project. */
export interface Source {
  /** Relative to the top of the project. */
  readonly path: string;
  readonly text: string;
  /** What it imports: paths relative to the top, or specifiers such as `node:fs`. */
  readonly imports: readonly string[];
}

const ROOT = new URL("../../", import.meta.url);
const NOT_OURS = new Set([".git", ".tools", "node_modules"]);

/** All TypeScript files of the project. */
export function sources(): Source[] {
  return pathsBelow("").map((path) => {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    return { path, text, imports: importsOf(path, text) };
  });
}

/** The folder at the top that a path lies in; empty for files at the top itself. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

function pathsBelow(dir: string): string[] {
  return [...Deno.readDirSync(new URL(dir || ".", ROOT))].flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    if (entry.isDirectory) return pathsBelow(`${dir}${entry.name}/`);
    return entry.isFile && entry.name.endsWith(".ts") ? [`${dir}${entry.name}`] : [];
  }).sort();
}

/** Static imports and re-exports, `import()`, and workers: `new URL("./x.ts", import.meta.url)`. */
export function importsOf(path: string, text: string): string[] {
  const patterns = [
    /^(?:import|export)\b[^;"]*?\bfrom "([^"]+)"/gm,
    /^import "([^"]+)"/gm,
    /\bimport\("([^"]+)"\)/g,
    /\bnew URL\(\s*"(\.[^"]+\.ts)",\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)]).map(([, name = ""]) =>
    name.startsWith(".") ? new URL(name, `file:///${path}`).pathname.slice(1) : name
  );
}
