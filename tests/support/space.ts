/**
 * Space on disk.
 *
 * @module
 */

/** The space that a tree takes, in bytes, holes left out. `except` is one directory left out. */
export function spaceBytes(path: string, except?: string): number {
  if (path === except) return 0;
  const status = Deno.lstatSync(path);
  const own = (status.blocks ?? 0) * 512;
  if (!status.isDirectory) return own;
  return [...Deno.readDirSync(path)].reduce(
    (sum, entry) => sum + spaceBytes(`${path}/${entry.name}`, except),
    own,
  );
}
