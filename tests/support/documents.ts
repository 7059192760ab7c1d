/**
 * The documents that people read: their blocks of commands, and the commands in their text.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url).pathname;

/** The documents whose commands are checked, relative to the project. */
export function documentPaths(): string[] {
  const docs = [...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => `docs/${name}`);
  return ["README.md", ...docs.filter((path) => path.endsWith(".md")).sort()];
}

/** A document's text. */
export function readDocument(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

/** A block between fences. */
export interface Block {
  /** Where its text begins, from 1. */
  readonly line: number;
  /** Its first word after the fence; empty if there is none. */
  readonly language: string;
  /** Why its commands cannot be run in a test; undefined if they are. */
  readonly notRun?: string;
  readonly text: string;
}

/** The blocks of a document, in their sequence. */
export function blocksOf(document: string): Block[] {
  const blocks: Block[] = [];
  for (const match of document.matchAll(/^```(\w*)([^\n]*)\n(.*?)^```$/gms)) {
    const [, language = "", info = "", text = ""] = match;
    const [, notRun] = /^ not-run: (.+)$/.exec(info) ?? [];
    const line = document.slice(0, match.index).split("\n").length + 1;
    blocks.push({ line, language, text, ...(notRun === undefined ? {} : { notRun }) });
  }
  return blocks;
}

/** All calls of `pbkfs` in a document, in blocks and in its text: the words after the name. */
export function callsIn(document: string): string[][] {
  const commands = blocksOf(document).filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n"))
    .flatMap((line) => line.replace(/(^| )#.*/, "").split(/&&|\|\||[|;]/));
  const prose = document.replaceAll(/^```.*?^```$/gms, "");
  const quoted = [...prose.matchAll(/`([^`]+)`/g)].map(([, text = ""]) =>
    text.replaceAll(/\s+/g, " ")
  );
  return [...commands, ...quoted].map((text) => text.trim().split(" "))
    .filter(([program]) => program === "pbkfs").map(([, ...words]) => words);
}
