/** What the documents tell people to do works, and what they name is there. */

import assert from "node:assert/strict";
import { COMMANDS } from "../cli/commands.ts";
import { COMMON } from "../cli/options.ts";
import { CODES } from "../errors.ts";
import { blocksOf, callsIn, documentPaths, readDocument } from "./support/documents.ts";
import { playDocument, READERS } from "./support/play_document.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";

for (const path of documentPaths()) {
  Deno.test(`${path} names commands and options that there are [FR-960]`, () => {
    for (const [name, ...words] of callsIn(readDocument(path))) {
      if (name === undefined || name === "COMMAND") continue;
      if (name.startsWith("-")) continue;
      const command = COMMANDS.find((known) => known.name === name);
      assert(command !== undefined, `pbkfs ${name}`);
      const known = [...command.options, ...COMMON].flatMap(({ short, long }) => [short, long]);
      for (const word of words.filter((word) => /^--?[A-Za-z]/.test(word))) {
        assert(known.includes(word.replace(/=.*/, "")), `pbkfs ${name} ${word}`);
      }
    }
  });

  Deno.test(`each block of ${path} is run by a test, or says why it is not [FR-960]`, () => {
    for (const { line, language, text } of blocksOf(readDocument(path))) {
      assert(language === "sh" || language === "ts", `${path}:${line}: ${text}`);
    }
  });

  Deno.test(`what ${path} links to is there [FR-960]`, () => {
    const text = readDocument(path);
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file = "", anchor] = target.split("#");
      const url = new URL(file, new URL(`../${path}`, import.meta.url));
      const linked = file === "" ? text : Deno.readTextFileSync(url);
      if (anchor !== undefined) assert(anchorsOf(linked).includes(anchor), `${path}: ${target}`);
    }
  });
}

/** The places of a document that can be linked to. */
function anchorsOf(document: string): string[] {
  const headings = document.matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, title = ""]) =>
    title.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-")
  );
}

Deno.test("docs/exit-status.md says of each exit status what the code says [FR-764]", () => {
  const rows = [
    ...readDocument("docs/exit-status.md").matchAll(/^\| (\d+) +\| (\w+) +\| (.+?) +\|$/gm),
  ];
  const listed = rows.map(([, status, name, when]) => [Number(status), name, when]);
  const expected = Object.entries(CODES).map((
    [name, { exitCode, when }],
  ) => [exitCode, name, when]);
  assert.deepEqual(listed, expected);
});

Deno.test("README.md fits two screens or three, and uses words that everybody knows [FR-961]", () => {
  const readme = readDocument("README.md");
  assert(readme.split("\n").length <= 150, "what is longer belongs into docs/");
  for (const path of documentPaths()) {
    const text = readDocument(path).replaceAll(/\s+/g, " ");
    for (const riddle of ["for a reason of ours", "the time of a mount", "leaves nothing behind"]) {
      assert(!text.includes(riddle), `${path}: ${riddle}`);
    }
  }
});

for (const reader of READERS) {
  for (const path of documentPaths()) {
    const isPlayed = blocksOf(readDocument(path))
      .some(({ language, notRun }) => language === "sh" && notRun === undefined);
    // That of README.md are run with the installed program: readme_test.ts.
    if (!isPlayed || path === "README.md") continue;
    testUnless(
      mountObstacle("ordinary user") ?? serverObstacle(reader.majorVersion),
      `the commands of ${path} work one after the other, PostgreSQL ${reader.majorVersion} [FR-962]`,
      () => playDocument(path, reader),
    );
  }
}
