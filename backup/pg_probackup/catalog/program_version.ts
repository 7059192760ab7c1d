/**
 * Versions of pg_probackup, which decide how a backup's files are read.
 *
 * @module
 */

/**
 * `2.5.16` as 20516, so that versions compare as numbers. An empty text, as in a backup that does
 * not tell, is 0.
 *
 * @returns undefined if the text is not `a.b.c` with `b` and `c` below 100.
 * @see parse_program_version in pg_probackup, src/util.c
 */
export function parseProgramVersion(text: string): number | undefined {
  if (text === "") return 0;
  const found = /^(\d{1,4})\.(\d{1,2})\.(\d{1,2})$/.exec(text);
  if (found === null) return undefined;
  return Number(found[1]) * 10000 + Number(found[2]) * 100 + Number(found[3]);
}

/** Versions from which, or up to which, the format differs. */
export const VERSION = {
  /** The first with markers of truncation in the page streams. */
  markersFrom: 20014,
  /** The last with them. */
  markersTo: 20207,
  /** Before it, a page compressed to exactly 8192 bytes occurs. */
  rawIsRawFrom: 20023,
  /** From it: `page_header_map`, and no padding of payloads. */
  headerMapFrom: 20400,
} as const;

/** These wrote wrong lists once they grew beyond {@link BAD_LIST_BYTES}. */
export const BAD_LIST_VERSIONS: readonly number[] = [20104, 20105, 20201];

/** Smallest list, in bytes, that {@link BAD_LIST_VERSIONS} are known to have spoilt. */
export const BAD_LIST_BYTES = 4_096_000;
