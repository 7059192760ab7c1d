/**
 * Opens a shared library, and gives its functions types that fit this code: 64-bit arguments are
 * numbers. Deno takes numbers and bigints alike there, but its own types say bigint only.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";

type Argument<T> = T extends "buffer" ? Uint8Array<ArrayBuffer> | null
  : T extends "pointer" | "function" ? Deno.PointerValue
  : T extends "struct" | { struct: unknown } ? never
  : number;

type Result<T> = T extends "void" ? void
  : T extends "pointer" ? Deno.PointerValue
  : T extends "i64" | "u64" | "isize" | "usize" ? bigint
  : number;

type Arguments<T extends readonly unknown[]> = { [Index in keyof T]: Argument<T[Index]> };

/** The functions of a symbol table, as TypeScript sees them. */
export type Functions<S extends Deno.ForeignLibraryInterface> = {
  [Name in keyof S]: S[Name] extends
    { parameters: infer P extends readonly unknown[]; result: infer R }
    ? (...args: Arguments<P>) => Result<R>
    : never;
};

/**
 * Opens the first library of `names` that the machine has. It stays open.
 *
 * @throws {PbkfsError} `LibraryMissing` if it has none of them.
 */
export function openLibrary<const S extends Deno.ForeignLibraryInterface>(
  names: readonly string[],
  symbols: S,
): Functions<S> {
  const found = tryOpenLibrary(names, symbols);
  if ("functions" in found) return found.functions;
  throw new PbkfsError("LibraryMissing", {
    what: `Cannot open ${names.join(" or ")}: ${found.reason}`,
    todo: "Install the library with your system's package manager, then try again.",
  });
}

/** As {@link openLibrary}, but tells the reason instead of throwing. */
export function tryOpenLibrary<const S extends Deno.ForeignLibraryInterface>(
  names: readonly string[],
  symbols: S,
): { readonly functions: Functions<S>; readonly name: string } | { readonly reason: string } {
  let reason = "no name given";
  for (const name of names) {
    try {
      const library = Deno.dlopen(name, symbols);
      return { functions: library.symbols as unknown as Functions<S>, name };
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  return { reason };
}
