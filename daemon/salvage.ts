/**
 * The error for a diff whose metadata is damaged, completed by what is left of it and how to get at
 * it.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";

/**
 * The same error, with what is still there and how to get at it. Without names and page maps the
 * data files cannot be put together again; SQLite's own recovery may help.
 *
 * @param error Any error of a start; others than `DiffDamaged` come back as they are.
 */
export function withSalvage(error: unknown, diffPath: string): unknown {
  if (!(error instanceof PbkfsError) || error.code !== "DiffDamaged") return error;
  const paths = pathsIn(diffPath);
  const { store } = paths;
  const data = countIn(paths.data);
  const wal = countIn(paths.wal);
  return new PbkfsError("DiffDamaged", {
    what: `${error.message}. Still there are ${data} data files and ${wal} files of pg_wal; ` +
      `nothing was changed`,
    todo: `Look at what is left, read-only: pbkfs mount --salvage -d "${diffPath}". Or restore ` +
      `what is damaged from a copy; if it is SQLite's file, copy "${diffPath}" and try: ` +
      `sqlite3 "${store}" .recover | sqlite3 new.sqlite, and put new.sqlite in its place. Or give ` +
      `the clone up: pbkfs cleanup -d "${diffPath}". The backup itself is not affected.`,
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
