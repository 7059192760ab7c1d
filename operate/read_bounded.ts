/**
 * Reads a small file that somebody else has laid out, in a mount perhaps whose process does not
 * answer: other threads of the runtime wait for it, so the caller need not.
 *
 * @module
 */

/**
 * The text of a regular file.
 *
 * @returns undefined if it is none, as a link or a pipe is, or longer than that.
 * @throws What the system answers, such as {@link Deno.errors.NotFound}.
 */
export async function readBounded(path: string, bytesMax: number): Promise<string | undefined> {
  if (!(await Deno.lstat(path)).isFile) return undefined;
  using file = await Deno.open(path);
  // What was looked at may be something else by now, and a size is what somebody says.
  const bytes = new Uint8Array(bytesMax + 1);
  let size = 0;
  for (let got: number | null = 0; got !== null && size <= bytesMax; size += got ?? 0) {
    got = await file.read(bytes.subarray(size));
  }
  return size > bytesMax ? undefined : new TextDecoder().decode(bytes.subarray(0, size));
}
