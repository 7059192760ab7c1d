/**
 * What can be saved of a diff whose metadata is damaged.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";

/**
 * The same error, with what is still there and how to get at it. Without names and page maps the
 * data files cannot be put together again, so SQLite's own recovery is what helps.
 *
 * @param error Any error of a start; others than `DiffDamaged` come back as they are.
 */
export function withSalvage(error: unknown, diffPath: string): unknown {
  if (!(error instanceof PbkfsError) || error.code !== "DiffDamaged") return error;
  const data = countIn(`${diffPath}/data`);
  const wal = countIn(`${diffPath}/wal`);
  const store = `${diffPath}/metadata.sqlite`;
  return new PbkfsError("DiffDamaged", {
    what: `${error.message}. Still there are ${data} data files and ${wal} files of pg_wal; ` +
      `nothing was changed`,
    todo:
      `Copy "${diffPath}", then try: sqlite3 "${store}" .recover | sqlite3 new.sqlite, and put ` +
      `new.sqlite in its place. Or restore the diff from a copy. The backup itself is not ` +
      `affected: an empty diff directory mounts it.`,
    cause: error,
  });
}

function countIn(path: string): number {
  try {
    return [...Deno.readDirSync(path)].filter(({ isFile }) => isFile).length;
  } catch {
    return 0; // There is no such directory; that is an answer, too.
  }
}
