/**
 * What happened before what: vector clocks.
 *
 * @module
 */

/** For each thread, how many of its events one knows of. */
export type Clock = Int32Array;

/** Makes `into` know what `from` knows. */
export function join(into: Clock, from: Clock | undefined): void {
  if (from === undefined) return;
  for (let thread = 0; thread < into.length; thread++) {
    if ((from[thread] as number) > (into[thread] as number)) into[thread] = from[thread] as number;
  }
}
