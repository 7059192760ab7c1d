/**
 * Empties or fills the kernel's caches.
 *
 * @module
 */

import { isRoot } from "../../postgres/mod.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Why caches cannot be emptied here; undefined if they can. */
export const COLD_OBSTACLE: string | undefined = isRoot()
  ? undefined
  : "only root can empty the caches";

/** Writes everything to disk and empties the caches, if we may. */
export async function dropCaches(): Promise<void> {
  if (COLD_OBSTACLE !== undefined) return;
  await new Deno.Command("sync").output();
  Deno.writeTextFileSync("/proc/sys/vm/drop_caches", "3");
}

/** Reads a file from its start to its end. @returns Its size in bytes. */
export function readThrough(path: string): number {
  using file = Deno.openSync(path);
  const chunk = new Uint8Array(CHUNK_BYTES);
  let size = 0;
  for (let got = file.readSync(chunk); got !== null; got = file.readSync(chunk)) size += got;
  return size;
}

/** Reads all files below a directory into the cache. */
export function warm(dirPath: string): void {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(dirPath)) {
    if (isDirectory) warm(`${dirPath}/${name}`);
    else if (isFile) readThrough(`${dirPath}/${name}`);
  }
}
