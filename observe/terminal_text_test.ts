import assert from "node:assert/strict";
import fc from "fast-check";
import { terminalJson, terminalText } from "./terminal_text.ts";

/** Text that is rich in what must not reach a terminal. */
const harmful = fc.constantFrom(
  ...["\x00", "\x07", "\x1b[2J", "\x1b]0;title\x07", "\r", "\n", "\t", "\x7f", "\x85", "\x9b31m"],
  ...["\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\ufeff", "\ud800", "\udc00"],
  ...["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"],
);
const anyText = fc.array(fc.oneof(harmful, fc.string({ unit: "binary" }))).map((all) =>
  all.join("")
);

/** Said in other words than the code does. */
function isHarmless(text: string): boolean {
  return [...text].every((character) => {
    const code = character.codePointAt(0)!;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    const turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
      [0x61c, 0x200e, 0x200f].includes(code);
    const ends = code === 0x2028 || code === 0x2029;
    return !isControl && !turns && !ends && !(code >= 0xd800 && code <= 0xdfff);
  });
}

Deno.test("nothing that a terminal obeys is left of any text, and plain text stays as it is [FR-836]", () => {
  fc.assert(fc.property(anyText, (text) => {
    const shown = terminalText(text);
    assert(isHarmless(shown));
    assert.equal(terminalText(shown), shown);
    if (isHarmless(text) && !/[\ufeff\ufff9-\ufffb]/.test(text)) assert.equal(shown, text);
  }));
  assert.equal(terminalText("\x1b[2Jé\n\u202eтест 😀"), "\\x1b[2Jé\\n\\u202eтест 😀");
});

Deno.test("JSON means the same, and has nothing that a terminal obeys [FR-836]", () => {
  const value = fc.dictionary(anyText, fc.oneof(anyText, fc.array(anyText), fc.double()));
  fc.assert(fc.property(value, fc.constantFrom(0, 2), (data, indent) => {
    const json = JSON.stringify(data, null, indent);
    const shown = terminalJson(json);
    assert(isHarmless(shown.replaceAll("\n", "")));
    assert.deepEqual(JSON.parse(shown), JSON.parse(json));
  }));
});
