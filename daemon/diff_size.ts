/**
 * What a diff takes on disk.
 *
 * @module
 */

import { RESERVE_NAME } from "../binding/mod.ts";

/** Space of a diff in bytes; holes take none. */
export interface DiffSize {
  /** Changed pages and files. */
  readonly dataBytes: number;
  /** The clone's `pg_wal`, where it is outside of the mount. */
  readonly walBytes: number;
  /** Names, attributes, page maps, and the log. */
  readonly otherBytes: number;
}

const NOT_OTHER = ["data", "wal", RESERVE_NAME];

/** Adds up a diff; what is only reserved is not counted. What disappears meanwhile does not count. */
export async function diffSize(diffPath: string): Promise<DiffSize> {
  const dataBytes = await spaceBytes(`${diffPath}/data`);
  const walBytes = await spaceBytes(`${diffPath}/wal`);
  return { dataBytes, walBytes, otherBytes: await spaceBytes(diffPath, NOT_OTHER) };
}

async function spaceBytes(path: string, except: readonly string[] = []): Promise<number> {
  try {
    const status = await Deno.lstat(path);
    let sum = (status.blocks ?? 0) * 512;
    if (!status.isDirectory) return sum;
    for await (const { name } of Deno.readDir(path)) {
      if (!except.includes(name)) sum += await spaceBytes(`${path}/${name}`);
    }
    return sum;
  } catch {
    return 0;
  }
}
