/**
 * Modules of the project with a fault put in, to see that it is found.
 *
 * @module
 */

/** What is changed in one file: each text that is replaced occurs in it once. */
export type Edits = Readonly<Record<string, string>>;

/** Modules with faults, in a directory of their own. */
export interface Mutants extends AsyncDisposable {
  /** Their URLs, by the path of what they stand for. */
  readonly replaced: Readonly<Record<string, string>>;
}

const ROOT = new URL("../../", import.meta.url);

/**
 * Writes changed copies of modules.
 *
 * @param files By path. One without edits is copied since it imports another one of them.
 */
export async function makeMutants(files: Readonly<Record<string, Edits>>): Promise<Mutants> {
  const dir = await Deno.makeTempDir({ prefix: "pbkfs-mutants-" });
  const urlOf = (path: string) => new URL(`file://${dir}/${path.replaceAll("/", "_")}`).href;
  const replaced = Object.fromEntries(Object.keys(files).map((path) => [path, urlOf(path)]));
  for (const [path, edits] of Object.entries(files)) {
    let text = await Deno.readTextFile(new URL(path, ROOT));
    for (const [from, to] of Object.entries(edits)) {
      if (text.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`);
      text = text.replace(from, () => to);
    }
    const complete = text.replaceAll(/(from |new URL\()"(\.[^"]+)"/g, (_, before, target) => {
      const url = new URL(target, new URL(path, ROOT)).href;
      return `${before}"${replaced[url.slice(ROOT.href.length)] ?? url}"`;
    });
    await Deno.writeTextFile(new URL(urlOf(path)), complete);
  }
  return { replaced, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}
