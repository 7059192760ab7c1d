/**
 * What it takes to find where the pages of a relation lie: making the index of a segment, and
 * reading through it, for a short chain and a long one. In this process.
 *
 * @module
 */

import {
  loadCodecs,
  newStoreCounters,
  openChain,
  PieceReader,
  resolveChain,
} from "../backup/mod.ts";
import { IndexMaker } from "../backup/pg_probackup/pages/index_maker.ts";
import { readFileLists } from "../backup/pg_probackup/lists/read_lists.ts";
import { openInstance } from "../backup/pg_probackup/catalog/open_instance.ts";
import { StoreFiles } from "../backup/tree/store_files.ts";
import { StoreLayout } from "../backup/pg_probackup/lists/store_layout.ts";
import { type ByteString, byteStringOf } from "../ffi/bytes.ts";
import { systemLibc } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import {
  RELATION,
  type RelationPlan,
  writeRelation,
} from "../tests/support/catalog_writer/synthetic_relation.ts";
import { inPairs, spread } from "./support/pairs.ts";
import { pageAt } from "./support/random_reads.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { say, type World } from "./support/world.ts";

const PAGE_BYTES = 8192;
/** Blocks of an increment, for one of the relation. */
const CHANGED_PART = 100;
const INCREMENTS = 100;
/** Making an index is short: a turn makes it so often, and the median counts. */
const TIMES_A_TURN = 5;

/** Makes a catalog, and opens its chain. */
async function make(world: World, plan: Omit<RelationPlan, "catalogPath">) {
  const catalogPath = world.newPath("relation");
  say(`making a relation of ${plan.blocks} blocks with ${plan.increments} increments`);
  writeRelation({ ...plan, catalogPath });
  return await resolveChain({ catalogPath, useProbackup: false });
}

async function measureMaking(world: World, hasHeaderMap: boolean): Promise<Row[]> {
  const { segmentBlocks: blocks, pairs, warmUp } = world.options;
  const changedBlocks = Math.ceil(blocks / CHANGED_PART);
  const spec = await make(world, { blocks, increments: 0, changedBlocks, hasHeaderMap });
  const libc = systemLibc();
  const lists = readFileLists(spec);
  const [store, codecs, counters] = [
    new StoreLayout(spec, lists),
    await loadCodecs(),
    newStoreCounters(),
  ];
  const files = new StoreFiles(openInstance(spec), libc, counters, 16);
  const maker = new IndexMaker({ lists, store, files, libc, codecs, counters });
  const path = RELATION as ByteString;
  const row = lists.paths.rowOf(path)!;
  const milliseconds: number[] = [];
  let bytesABlock = 0;
  for (let turn = warmUp ? -1 : 0; turn < pairs; turn++) {
    const times = Array.from({ length: TIMES_A_TURN }, () => {
      const start = performance.now();
      const index = maker.make(row, path);
      bytesABlock = index.memoryBytes / index.blockCount;
      return performance.now() - start;
    });
    if (turn >= 0) milliseconds.push(spread(times).median);
  }
  files.close();
  const what = `index of ${blocks} blocks, ${
    hasHeaderMap ? "by header map" : "by walking records"
  }`;
  const runs = milliseconds.length;
  const aim = hasHeaderMap ? "20 ms" : "";
  const memory = { what: `${what}: memory`, unit: "bytes/block", alone: spread([bytesABlock]) };
  return [
    { what, unit: "ms", alone: spread(milliseconds), runs, aim },
    ...(hasHeaderMap ? [{ ...memory, runs: 1, aim: "8" }] : []),
  ];
}

/** Reads random pages; the first reading makes the index. @returns Pages a second. */
async function reader(world: World, increments: number) {
  const { randomPages, segmentBlocks } = world.options;
  const blocks = Math.min(segmentBlocks, randomPages);
  const changedBlocks = Math.ceil(blocks / CHANGED_PART);
  const spec = await make(world, { blocks, increments, changedBlocks });
  const layout = { mountPath: byteStringOf("."), restoredAt: Date.now(), settings: [] };
  const base = await openChain(spec, { layout, codecs: await loadCodecs() });
  const entry = base.find(RELATION as ByteString)!;
  const pieces = new PieceReader(base);
  const target = allocate(PAGE_BYTES);
  const read = () => {
    const start = performance.now();
    for (let place = 0; place < blocks; place++) {
      const offsetBytes = pageAt(place, blocks) * PAGE_BYTES;
      pieces.read(base.planRead(entry, { offsetBytes, sizeBytes: PAGE_BYTES }), target);
    }
    return blocks / ((performance.now() - start) / 1000);
  };
  read();
  return { read, [Symbol.dispose]: () => base.close() };
}

async function measureReading(world: World): Promise<Row> {
  const { pairs, warmUp } = world.options;
  using long = await reader(world, INCREMENTS);
  using short = await reader(world, 1);
  const figures = await inPairs({ ours: long.read, other: short.read }, { pairs, warmUp });
  return {
    what: `random 8 KiB reads of a chain of ${INCREMENTS + 1} backups, index in place`,
    against: "a chain of 2",
    unit: "pages/s",
    figures,
    aim: "1.0 ± 5 %",
  };
}

export const scenario: Scenario = {
  name: "page_index",
  async measure(world): Promise<Row[]> {
    return [
      ...await measureMaking(world, true),
      ...await measureMaking(world, false),
      await measureReading(world),
    ];
  },
};

if (import.meta.main) await main([scenario]);
