/**
 * Sorts paths that lie one beside the other in memory.
 *
 * @module
 */

/** Paths as parts of one array of bytes. */
export interface PathSlices {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly lengths: Uint16Array;
}

/** Fewer are put in order one by one. */
const FEW = 12;

/**
 * The positions of the paths in bytewise order; of equal paths, the one that came first.
 *
 * A quicksort by one byte after another, which never looks at a common beginning twice, and makes
 * no string of what it compares.
 *
 * @see Bentley and Sedgewick, Fast Algorithms for Sorting and Searching Strings, 1997
 */
export function pathOrder(paths: PathSlices): Uint32Array<ArrayBuffer> {
  const order = new Uint32Array(paths.count);
  for (let at = 0; at < order.length; at++) order[at] = at;
  if (!isSorted(paths)) sort(paths, order, { from: 0, to: order.length, depth: 0 });
  return order;
}

/** Positions of `order` to be sorted: their paths are the same up to, not including, `depth`. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
}

/** The largest part is gone on with, so that calls are nested no deeper than a logarithm. */
function sort(paths: PathSlices, order: Uint32Array, part: Part): void {
  for (let next: Part | undefined = part; next !== undefined;) {
    if (next.to - next.from <= FEW) {
      insert(paths, order, next);
      return;
    }
    const parts = split(paths, order, next);
    const sizes = parts.map(({ from, to }) => to - from);
    const largest = sizes.indexOf(Math.max(...sizes));
    parts.forEach((smaller, at) => at === largest || sort(paths, order, smaller));
    next = parts[largest];
  }
}

/** Puts what is less at `depth` before what is equal to one of them, and what is greater behind. */
function split(paths: PathSlices, order: Uint32Array, { from, to, depth }: Part): Part[] {
  const { bytes, starts, lengths } = paths;
  const byteOf = (index: number) => depth < lengths[index]! ? bytes[starts[index]! + depth]! : -1;
  const pivot = median(
    byteOf(order[from]!),
    byteOf(order[(from + to) >>> 1]!),
    byteOf(order[to - 1]!),
  );
  let less = from;
  let greater = to;
  for (let at = from; at < greater;) {
    const index = order[at]!;
    const byte = depth < lengths[index]! ? bytes[starts[index]! + depth]! : -1;
    if (byte < pivot) {
      order[at++] = order[less]!;
      order[less++] = index;
    } else if (byte > pivot) {
      order[at] = order[--greater]!;
      order[greater] = index;
    } else at++;
  }
  // Paths that end here are equal.
  if (pivot < 0) order.subarray(less, greater).sort();
  return [
    { from, to: less, depth },
    { from: less, to: pivot < 0 ? less : greater, depth: depth + 1 },
    { from: greater, to, depth },
  ];
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

function insert(paths: PathSlices, order: Uint32Array, { from, to, depth }: Part): void {
  for (let at = from + 1; at < to; at++) {
    const index = order[at]!;
    let slot = at;
    for (; slot > from; slot--) {
      const before = order[slot - 1]!;
      const difference = compare(paths, before, index, depth);
      if (difference < 0 || (difference === 0 && before < index)) break;
      order[slot] = before;
    }
    order[slot] = index;
  }
}

/** Below 0 if the path at `a` comes before that at `b`; they are the same up to `depth`. */
function compare({ bytes, starts, lengths }: PathSlices, a: number, b: number, depth = 0): number {
  const [startA, startB] = [starts[a]!, starts[b]!];
  const common = Math.min(lengths[a]!, lengths[b]!);
  for (let at = depth; at < common; at++) {
    const difference = bytes[startA + at]! - bytes[startB + at]!;
    if (difference !== 0) return difference;
  }
  return lengths[a]! - lengths[b]!;
}

function isSorted(paths: PathSlices): boolean {
  for (let at = 1; at < paths.count; at++) if (compare(paths, at - 1, at) > 0) return false;
  return true;
}
