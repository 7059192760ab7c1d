/**
 * Memory that threads share, described once as data, as `ffi/layout.ts` does for C's structs.
 *
 * Shared memory is an array of cells, which are all of one kind. A layout says what lies where in
 * it; a record is some cells that belong together, and are written and read together.
 *
 * @module
 */

/** Cells in shared memory. */
export type SharedCells = Int32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>;

/** What lies where in some memory. */
export interface CellLayout<Name extends string> {
  /** Where each part begins, counted in cells from the first one. */
  readonly at: Readonly<Record<Name, number>>;
  /** Cells of all parts together. */
  readonly size: number;
}

/** Parts of some memory, one behind the other. @param counts How many cells each of them has. */
export function layoutOf<Name extends string>(
  counts: Readonly<Record<Name, number>>,
): CellLayout<Name> {
  let size = 0;
  const places = Object.entries<number>(counts).map(([name, count]) => {
    size += count;
    return [name, size - count];
  });
  return { at: Object.fromEntries(places), size };
}

/** Some cells that are written and read together. */
export interface SharedRecord<Name extends string> extends CellLayout<Name> {
  /** Writes all cells, in their order. @param start The record's first cell. */
  write(cells: SharedCells, start: number, record: Readonly<Record<Name, number>>): void;
  /** Reads all cells, in their order. */
  read(cells: SharedCells, start: number): Record<Name, number>;
}

/** A record whose cells are written plainly: something else says whose turn it is. */
export function plainRecord<Name extends string>(names: readonly Name[]): SharedRecord<Name> {
  return recordOf(names, {
    write: (at, value) => `cells[${at}] = ${value};`,
    read: (at) => `cells[${at}]`,
  });
}

/** A record whose cells are written, and read, each by an atomic step. They are 32-bit numbers. */
export function atomicRecord<Name extends string>(names: readonly Name[]): SharedRecord<Name> {
  return recordOf(names, {
    write: (at, value) => `Atomics.store(cells, ${at}, ${value});`,
    read: (at) => `Atomics.load(cells, ${at})`,
  });
}

/**
 * Writes the two functions that a description stands for, one mirroring the other. As source text,
 * since that is what is as quick as if it was written by hand: a loop over the names takes some ten
 * times as long, and a read may have a hundred records.
 */
function recordOf<Name extends string>(
  names: readonly Name[],
  access: {
    readonly write: (at: string, value: string) => string;
    readonly read: (at: string) => string;
  },
): SharedRecord<Name> {
  // They become a part of the source.
  for (const name of names) {
    if (!/^[a-zA-Z]\w*$/.test(name)) throw new TypeError(`"${name}" is no name of a cell`);
  }
  const layout = layoutOf(Object.fromEntries(names.map((name) => [name, 1])));
  const cell = (index: number) => `start + ${index}`;
  const writes = names.map((name, index) => access.write(cell(index), `record.${name}`));
  const reads = names.map((name, index) => `${name}: ${access.read(cell(index))}`);
  return {
    ...layout as CellLayout<Name>,
    write: new Function(
      ...["cells", "start", "record"],
      writes.join("\n"),
    ) as SharedRecord<Name>["write"],
    read: new Function(
      ...["cells", "start"],
      `return { ${reads.join(", ")} };`,
    ) as SharedRecord<Name>["read"],
  };
}
