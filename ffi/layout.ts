/**
 * C structs as data: where each member lies. A test compares the tables with the C headers.
 *
 * @module
 */

/** One member: its C type and its offset in bytes. */
export interface Field {
  readonly kind: "u16" | "i32" | "u32" | "i64" | "u64" | "f64";
  readonly at: number;
}

/** The members of a struct that we use. */
export type Layout = Readonly<Record<string, Field>>;

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Reads a member as a number. 64-bit members are read in halves, so that no BigInt is made.
 *
 * @throws {RangeError} if a 64-bit value does not fit a JavaScript integer.
 */
export function readField(view: DataView, field: Field): number {
  switch (field.kind) {
    case "u16":
      return view.getUint16(field.at, LITTLE_ENDIAN);
    case "i32":
      return view.getInt32(field.at, LITTLE_ENDIAN);
    case "u32":
      return view.getUint32(field.at, LITTLE_ENDIAN);
    case "i64":
      return toSafeInteger(high(view, field, "i64") * 0x1_0000_0000 + low(view, field));
    case "u64":
      return toSafeInteger(high(view, field, "u64") * 0x1_0000_0000 + low(view, field));
    case "f64":
      return view.getFloat64(field.at, LITTLE_ENDIAN);
  }
}

function low(view: DataView, { at }: Field): number {
  return view.getUint32(LITTLE_ENDIAN ? at : at + 4, LITTLE_ENDIAN);
}

function high(view: DataView, { at }: Field, kind: "i64" | "u64"): number {
  const highAt = LITTLE_ENDIAN ? at + 4 : at;
  return kind === "i64"
    ? view.getInt32(highAt, LITTLE_ENDIAN)
    : view.getUint32(highAt, LITTLE_ENDIAN);
}

/** Writes a member. 64-bit members are written in halves, so that no BigInt is made. */
export function writeField(view: DataView, field: Field, value: number): void {
  switch (field.kind) {
    case "u16":
      return view.setUint16(field.at, value, LITTLE_ENDIAN);
    case "i32":
      return view.setInt32(field.at, value, LITTLE_ENDIAN);
    case "u32":
      return view.setUint32(field.at, value, LITTLE_ENDIAN);
    case "f64":
      return view.setFloat64(field.at, value, LITTLE_ENDIAN);
    case "i64":
    case "u64": {
      const lowAt = LITTLE_ENDIAN ? 0 : 4;
      view.setUint32(field.at + lowAt, value >>> 0, LITTLE_ENDIAN);
      view.setInt32(field.at + 4 - lowAt, Math.floor(value / 0x1_0000_0000), LITTLE_ENDIAN);
    }
  }
}

/** A sum of halves beyond what a number holds exactly is rounded, and then not safe either. */
function toSafeInteger(value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is too large for a size`);
  return value;
}
