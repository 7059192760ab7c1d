/**
 * Somebody who works in a mount while it is attacked.
 *
 * @module
 */

/** Reads all files below a directory. @returns How many. */
export async function readTree(dirPath: string): Promise<number> {
  let count = 0;
  for await (const { name, isDirectory, isFile } of Deno.readDir(dirPath)) {
    if (isDirectory) count += await readTree(`${dirPath}/${name}`);
    if (!isFile) continue;
    await Deno.readFile(`${dirPath}/${name}`);
    count++;
  }
  return count;
}

/** Writes, syncs and reads in a mount as long as `attack` takes, and fails if any of it does. */
export async function whileWorking(
  mountDir: string,
  attack: () => Promise<void>,
): Promise<void> {
  let isOver = false;
  const work = (async () => {
    for (let round = 0; !isOver; round++) {
      const path = `${mountDir}/work-${round % 8}`;
      const text = `round ${round} `.repeat(5000);
      using file = await Deno.open(path, { write: true, create: true, truncate: true });
      await file.write(new TextEncoder().encode(text));
      await file.sync();
      if (await Deno.readTextFile(path) !== text) {
        throw new Error(`${path} is not what was written`);
      }
      await readTree(`${mountDir}/global`);
    }
  })();
  const over = () => isOver = true;
  await Promise.all([work, attack().finally(over)]);
}
