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

/** Measures several things at a time: figures by name, the same names each time. */
export type MeasureAll = () => Promise<Readonly<Record<string, number>>>;

/** How often, and what the figures mean. */
export interface PairsOptions {
  readonly pairs: number;
  /** Whether a turn that does not count comes first; it does if left out. */
  readonly warmUp?: boolean;
  /** Figures are times: the ratio is the other's divided by ours, so that more is better. */
  readonly areTimes?: boolean;
}

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
  options: number | PairsOptions,
): Promise<PairedFigures> {
  const named = (measure: Measure): MeasureAll => async () => ({ figure: await measure() });
  const both = { ours: named(ours), other: named(other) };
  const all = await allInPairs(both, typeof options === "number" ? { pairs: options } : options);
  return all["figure"]!;
}

/** As {@link inPairs}, for turns that give several figures. */
export async function allInPairs(
  both: { readonly ours: MeasureAll; readonly other: MeasureAll },
  { pairs, warmUp = true, areTimes = false }: PairsOptions,
): Promise<Readonly<Record<string, PairedFigures>>> {
  const turns: Record<"ours" | "other", Readonly<Record<string, number>>[]> = {
    ours: [],
    other: [],
  };
  for (let pair = warmUp ? -1 : 0; pair < pairs; pair++) {
    const sides = pair % 2 === 0 ? ["ours", "other"] as const : ["other", "ours"] as const;
    for (const side of sides) {
      const figures = await both[side]();
      if (pair >= 0) turns[side].push(figures);
    }
  }
  const names = Object.keys(turns.ours[0] ?? {});
  return Object.fromEntries(names.map((name) => {
    const ours = turns.ours.map((figures) => figures[name] as number);
    const other = turns.other.map((figures) => figures[name] as number);
    const ratios = ours.map((figure, pair) => {
      const beside = other[pair] as number;
      return areTimes ? beside / figure : figure / beside;
    });
    return [name, {
      ours: spread(ours),
      other: spread(other),
      ratio: spread(ratios),
      pairs,
    }];
  }));
}
