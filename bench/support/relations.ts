/**
 * Finds files of a data directory.
 *
 * @module
 */

/** A file, by its path relative to the data directory. */
export interface FoundRelation {
  readonly path: string;
  readonly sizeBytes: number;
}

/** The largest file below `base/`: of a pgbench database, the first segment of the accounts. */
export function largestRelation(dataDir: string): FoundRelation {
  let largest: FoundRelation = { path: "", sizeBytes: -1 };
  for (const { name: database } of Deno.readDirSync(`${dataDir}/base`)) {
    for (const { name } of Deno.readDirSync(`${dataDir}/base/${database}`)) {
      const path = `base/${database}/${name}`;
      const sizeBytes = Deno.statSync(`${dataDir}/${path}`).size;
      if (sizeBytes > largest.sizeBytes) largest = { path, sizeBytes };
    }
  }
  return largest;
}
