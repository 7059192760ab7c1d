/**
 * Percentiles.
 *
 * @module
 */

/**
 * The least of the numbers that at least a share of them do not exceed.
 *
 * @param sorted In ascending order; at least one.
 * @param share From 0 to 1; 1 gives the greatest.
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const place = Math.max(0, Math.ceil(share * sorted.length) - 1);
  const found = sorted[place];
  if (found === undefined) throw new RangeError("There is no percentile of no numbers");
  return found;
}
