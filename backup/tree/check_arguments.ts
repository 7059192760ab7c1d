/**
 * Checks of the arguments that programs give to pbkfs as a library: TypeScript sees to the types,
 * JavaScript to nothing.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";

/** What a value must be; with a question mark, it may be left out. */
export type ArgumentKind = "string" | "boolean" | "number" | "string?" | "boolean?" | "number?";

/**
 * Checks an object of options.
 *
 * @param name Of the function, for the message.
 * @throws {PbkfsError} `Usage` if something is missing, or is not what it should be.
 */
export function checkArguments(
  name: string,
  options: unknown,
  kinds: Readonly<Record<string, ArgumentKind>>,
): void {
  if (typeof options !== "object" || options === null) {
    throw wrong(name, "its options", "an object", options);
  }
  const given = options as Readonly<Record<string, unknown>>;
  for (const [key, kind] of Object.entries(kinds)) {
    const value = given[key];
    const type = kind.replace("?", "");
    if (value === undefined && kind.endsWith("?")) continue;
    const found: string = typeof value;
    if (found !== type) throw wrong(name, key, `a ${type}`, value);
    const isBad = type === "number" && !((value as number) >= 0 && Number.isFinite(value));
    if (isBad) throw wrong(name, key, "a number that is not negative", value);
    if (value === "") throw wrong(name, key, "a text that is not empty", value);
    if (type === "string" && (value as string).includes("\0")) {
      throw wrong(name, key, "a text without zero characters", value);
    }
  }
}

function wrong(name: string, what: string, expected: string, value: unknown): PbkfsError {
  return new PbkfsError("Usage", {
    what: `${name}: ${what} must be ${expected}, and is ${shown(value)}`,
    todo: "See the documentation of the function.",
  });
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}
