/**
 * The text of one of PostgreSQL's configuration files.
 *
 * @see src/backend/utils/misc/guc-file.l in PostgreSQL
 *
 * @module
 */

/** One line that sets something, or an `include`. */
export interface ConfigLine {
  /** In lower case: case does not count. */
  readonly name: string;
  /** Without quotes and escapes. */
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** What a file says. */
export interface ConfigText {
  readonly lines: readonly ConfigLine[];
  /** Numbers of lines that PostgreSQL does not understand. It does not start with one. */
  readonly wrongLines: readonly number[];
}

/** A token is the longest match, of two equally long ones the first. */
const TOKENS = {
  space: /[ \t\r]+/y,
  comment: /#.*/y,
  id: /[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff]*/y,
  qualifiedId:
    /[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff]*\.[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff]*/y,
  string: /'(?:[^'\\]|\\.|'')*'/y,
  unquoted: /[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff\-._:/]*/y,
  integer: /[-+]?(?:0x[0-9a-fA-F]+|[0-9]+)[a-zA-Z]*/y,
  real: /[-+]?[0-9]*\.[0-9]*(?:[Ee][-+]?[0-9]+)?/y,
  equals: /=/y,
} as const satisfies Record<string, RegExp>;

type TokenKind = keyof typeof TOKENS;

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const NAMES: readonly TokenKind[] = ["id", "qualifiedId"];
const VALUES: readonly TokenKind[] = ["id", "string", "integer", "real", "unquoted"];

/** Reads a file. Strings do not go on in the next line, so each line stands for itself. */
export function parseConfigText(text: string): ConfigText {
  const lines: ConfigLine[] = [];
  const wrongLines: number[] = [];
  text.split("\n").forEach((each, at) => {
    const tokens = tokensOf(each);
    if (tokens?.length === 0) return;
    const setting = tokens === undefined ? undefined : settingOf(tokens);
    if (setting === undefined) wrongLines.push(at + 1);
    else lines.push({ ...setting, line: at + 1 });
  });
  return { lines, wrongLines };
}

/**
 * The settings of one file: of a name that is set twice, the last counts. `include` is one of the
 * names, and is not followed: `readConfiguration` does that.
 */
export function parseConfig(text: string): Map<string, string> {
  return new Map(parseConfigText(text).lines.map(({ name, value }) => [name, value]));
}

/** A value as it can stand in a configuration file. */
export function quoteConfigValue(value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\n", "\\n");
  return `'${escaped}'`;
}

/** @returns undefined if something is no token. */
function tokensOf(line: string): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < line.length;) {
    const token = tokenAt(line, at);
    if (token === undefined) return undefined;
    at += token.text.length;
    if (token.kind !== "space" && token.kind !== "comment") tokens.push(token);
  }
  return tokens;
}

function tokenAt(line: string, at: number): Token | undefined {
  let longest: Token | undefined;
  for (const kind of Object.keys(TOKENS) as TokenKind[]) {
    const pattern = TOKENS[kind];
    pattern.lastIndex = at;
    const text = pattern.exec(line)?.[0] ?? "";
    if (text.length > (longest?.text.length ?? 0)) longest = { kind, text };
  }
  return longest;
}

function settingOf(tokens: readonly Token[]): Pick<ConfigLine, "name" | "value"> | undefined {
  const [name, second, third] = tokens;
  const hasEquals = second?.kind === "equals";
  const value = hasEquals ? third : second;
  if (tokens.length !== (hasEquals ? 3 : 2) || name === undefined || value === undefined) {
    return undefined;
  }
  if (!NAMES.includes(name.kind) || !VALUES.includes(value.kind)) return undefined;
  const { kind, text } = value;
  return { name: name.text.toLowerCase(), value: kind === "string" ? unquoted(text) : text };
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** @see DeescapeQuotedString in guc-file.l */
function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll(/''|\\([0-7]{1,3}|.)/g, (_, escaped?: string) => {
    if (escaped === undefined) return "'";
    if (/^[0-7]/.test(escaped)) return String.fromCharCode(parseInt(escaped, 8) & 0xff);
    return ESCAPES[escaped] ?? escaped;
  });
}
