/**
 * The names of page codecs in control files.
 *
 * @module
 */

import type { Codec } from "../../tree/base_tree.ts";

const NAMES: Readonly<Record<string, Codec>> = {
  none: "none",
  zlib: "zlib",
  pglz: "pglz",
  lz4: "lz4",
  zstd: "zstd",
  zstandard: "zstd",
};

/** Codecs by number, as the tables of the file lists hold them. */
export const CODECS: readonly Codec[] = ["none", "zlib", "pglz", "lz4", "zstd"];

/** @returns undefined for a name that we do not know; case does not matter. */
export function codecOf(name: string): Codec | undefined {
  const key = name.trim().toLowerCase();
  return Object.hasOwn(NAMES, key) ? NAMES[key] : undefined;
}
