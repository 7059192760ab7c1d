/**
 * Positions in the write-ahead log.
 *
 * @module
 */

/** A byte position in the write-ahead log, printed as PostgreSQL does: 0/16B3748. */
export type Lsn = bigint & { readonly lsn: unique symbol };

/** @returns undefined if the text is not two hexadecimal numbers with `/` between. */
export function parseLsn(text: string): Lsn | undefined {
  const found = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (found === null) return undefined;
  return ((BigInt(`0x${found[1]}`) << 32n) | BigInt(`0x${found[2]}`)) as Lsn;
}

/** As PostgreSQL's `%X/%X`. */
export function formatLsn(lsn: Lsn): string {
  const high = (lsn >> 32n).toString(16);
  const low = (lsn & 0xffffffffn).toString(16);
  return `${high}/${low}`.toUpperCase();
}
