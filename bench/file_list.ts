/**
 * How long the file lists of a chain take to read: checked against their CRC, and taken over. In
 * this process; beside them, `JSON.parse` of each line, without any of that.
 *
 * @module
 */

import { type ChainSpec, readFileLists, resolveChain } from "../backup/mod.ts";
import { writeSynthetic } from "../tests/support/catalog_writer/synthetic.ts";
import { inPairs } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { say, type World } from "./support/world.ts";

/** Lists of what one would do instead, this many bytes at a time: a string cannot be too long. */
const CHUNK_BYTES = 64 * 1024 * 1024;

async function measureLists(world: World, files: number, backups: number): Promise<Row> {
  const catalogPath = world.newPath("lists");
  say(`making a catalog of ${files} files in ${backups} backups`);
  writeSynthetic({ catalogPath, files, backups, stored: 1 });
  const spec = await resolveChain({ catalogPath, useProbackup: false });
  const lines = countLines(spec);
  const perSecond = (read: () => void) => () => {
    const start = performance.now();
    read();
    return lines / ((performance.now() - start) / 1000);
  };
  const { pairs, warmUp } = world.options;
  const figures = await inPairs({
    ours: perSecond(() => readFileLists(spec)),
    other: perSecond(() => countLines(spec)),
  }, { pairs, warmUp });
  await Deno.remove(catalogPath, { recursive: true });
  const what = `file lists, ${files} files × ${backups} backups`;
  const aim = backups === 1 ? "≥ 1,000,000 entries/s" : "";
  return { what, against: "JSON.parse of each line", unit: "entries/s", figures, aim };
}

/** Parses every line. @returns How many there are. */
export function countLines(spec: ChainSpec): number {
  let lines = 0;
  for (const { dirPath } of spec.members) {
    using file = Deno.openSync(`${dirPath}/backup_content.control`);
    const bytes = new Uint8Array(CHUNK_BYTES);
    const decoder = new TextDecoder();
    let rest = "";
    for (let got; (got = file.readSync(bytes)) !== null;) {
      const texts = (rest + decoder.decode(bytes.subarray(0, got), { stream: true })).split("\n");
      rest = texts.pop() ?? "";
      for (const text of texts) if (JSON.parse(text).path !== undefined) lines++;
    }
  }
  return lines;
}

export const scenario: Scenario = {
  name: "file_list",
  async measure(world): Promise<Row[]> {
    const { files, backups, manyFiles } = world.options;
    return [await measureLists(world, manyFiles, 1), await measureLists(world, files, backups)];
  },
};

if (import.meta.main) await main([scenario]);
