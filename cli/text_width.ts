/**
 * The width of text on a terminal.
 *
 * @module
 * @see Unicode Standard Annex #11, East Asian Width
 */

/** East Asian letters, full-width forms and pictures take two columns each. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]/u;
/** What is put on top of the letter before it takes none. */
const NARROW = /\p{Mn}|\p{Me}|\u200b|\u200c|\u200d/u;

/** In columns. */
export function textWidth(text: string): number {
  let width = 0;
  for (const letter of text) width += NARROW.test(letter) ? 0 : WIDE.test(letter) ? 2 : 1;
  return width;
}

/** The columns of the terminal that stdout is, or what COLUMNS says; of a file there is no end. */
export function columnsOut(): number {
  const said = Number(Deno.env.get("COLUMNS"));
  if (!Deno.stdout.isTerminal()) return said > 0 ? said : Infinity;
  try {
    return Deno.consoleSize().columns || Infinity;
  } catch {
    return Infinity; // A terminal that does not tell.
  }
}
