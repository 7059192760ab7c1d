/**
 * Text from others made harmless for a terminal, or for a reader of a log. Names and notes of a
 * catalog, and messages about them, are somebody else's: they may hold sequences that clear the
 * screen or answer for the user, turn the order of letters round, or begin a line that is not ours.
 *
 * @module
 */

/**
 * Control characters (C0 with line breaks, DEL, and C1, which some terminals obey), what a Unicode
 * text calls the end of a line, and what changes the direction of the text that follows.
 */
const HARMFUL =
  // deno-lint-ignore no-control-regex -- these are what it is about
  /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

/** One line: everything harmful as an escape, such as `\n`, `\x1b` or `\u202e`. */
export function terminalText(text: string): string {
  return text.replaceAll(HARMFUL, (character) => NAMED[character] ?? hexEscape(character));
}

/** JSON text, which means the same afterwards. JSON itself escapes C0 only. */
export function terminalJson(json: string): string {
  return json.replaceAll(HARMFUL, (character) =>
    // Line breaks of the layout are outside of all strings.
    character === "\n" ? character : `\\u${hexOf(character).padStart(4, "0")}`);
}

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function hexEscape(character: string): string {
  const hex = hexOf(character);
  return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`;
}

function hexOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}
