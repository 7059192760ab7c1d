/** Typed arrays of another length. @module */

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** A longer copy of a typed array. */
export function grown<T extends Column>(array: T, length: number): T {
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  return copy;
}
