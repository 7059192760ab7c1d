/**
 * Counts what differs between two trees, in pages.
 *
 * @module
 */

const PAGE_BYTES = 8192;
const CHUNK_BYTES = 128 * PAGE_BYTES;

/**
 * Bytes of the distinct pages of `tree` that `base` does not have at the same place of the same
 * file; of the last page of a file only what it has. `except` is a name at the top left out.
 */
export function changedBytes(tree: string, base: string, except: string): number {
  const below = (path: string): number => {
    let sum = 0;
    for (const { name, isDirectory, isFile } of Deno.readDirSync(`${tree}/${path}`)) {
      const inner = path === "" ? name : `${path}/${name}`;
      if (inner === except) continue;
      if (isDirectory) sum += below(inner);
      else if (isFile) sum += changedInFile(`${tree}/${inner}`, `${base}/${inner}`);
    }
    return sum;
  };
  return below("");
}

function changedInFile(path: string, basePath: string): number {
  using file = Deno.openSync(path);
  using base = openIfThere(basePath);
  const [chunk, other] = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
  let changed = 0;
  for (;;) {
    const got = readFull(file, chunk);
    const beside = base === undefined ? 0 : readFull(base, other);
    for (let at = 0; at < got; at += PAGE_BYTES) {
      const end = Math.min(at + PAGE_BYTES, got);
      const isSame = end <= beside && sameBytes(chunk, other, at, end);
      if (!isSame) changed += end - at;
    }
    if (got < chunk.length) return changed;
  }
}

function openIfThere(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function readFull(file: Deno.FsFile, target: Uint8Array): number {
  let at = 0;
  while (at < target.length) {
    const got = file.readSync(target.subarray(at));
    if (got === null) break;
    at += got;
  }
  return at;
}

function sameBytes(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (a[at] !== b[at]) return false;
  return true;
}
