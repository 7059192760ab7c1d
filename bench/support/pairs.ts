/**
 * Two ways to do one job, in turn, so that a machine whose speed drifts does not favour one.
 *
 * @module
 */

/** Least, middle and greatest of some numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Figures of a pair: ours, the other's, and ours divided by the other's, pair by pair. */
export interface PairedFigures {
  readonly ours: Spread;
  readonly other: Spread;
  readonly ratio: Spread;
  readonly pairs: number;
}

/** Measures once; the result is a figure, such as seconds or transactions a second. */
export type Measure = () => number | Promise<number>;

/** Least, median and greatest. @param numbers At least one. */
export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] as number;
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { min: at(0), median, max: at(sorted.length - 1) };
}

/** Measures both in turn, after one turn that does not count. Every other pair begins with the other. */
export async function inPairs(
  { ours, other }: { readonly ours: Measure; readonly other: Measure },
  pairs: number,
): Promise<PairedFigures> {
  const figures: { ours: number[]; other: number[] } = { ours: [], other: [] };
  for (let pair = -1; pair < pairs; pair++) {
    const sides = pair % 2 === 0 ? ["ours", "other"] as const : ["other", "ours"] as const;
    for (const side of sides) {
      const figure = await { ours, other }[side]();
      if (pair >= 0) figures[side].push(figure);
    }
  }
  return {
    ours: spread(figures.ours),
    other: spread(figures.other),
    ratio: spread(figures.ours.map((figure, pair) => figure / (figures.other[pair] as number))),
    pairs,
  };
}
