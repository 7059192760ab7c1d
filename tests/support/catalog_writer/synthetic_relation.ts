/**
 * Catalogs of one large relation that a long chain of increments has changed, without a database:
 * for what takes time by the number of blocks, or of backups.
 *
 * @module
 */

import { deflate } from "pako";
import { crc32c } from "../../../backup/tree/crc32c.ts";
import { type ContentEntry, PLAIN_ENTRY } from "./content_entry.ts";
import { makeInstance } from "./make_instance.ts";
import { SyntheticBackup, WAL_SEGMENT_BYTES } from "./synthetic_backup.ts";

/** How large. */
export interface RelationPlan {
  readonly catalogPath: string;
  /** Length of the relation; one segment at most, so 131,072. */
  readonly blocks: number;
  /** After the FULL one. */
  readonly increments: number;
  /** Blocks that each increment stores, as far apart as they can be. */
  readonly changedBlocks: number;
  /** Without: the list does not say where page headers are, as before pg_probackup 2.4.0. */
  readonly hasHeaderMap?: boolean;
}

/** Where the relation is. */
export const RELATION = "base/16384/20000";

const OID = 16384;
const PAGE_BYTES = 8192;
const RECORD_HEADER_BYTES = 8;
const ELEMENT_BYTES = 24;
/** Different pages of a backup. */
const PAGES = 16;

/** Writes the catalog. */
export function writeRelation(plan: RelationPlan): void {
  const { catalogPath } = plan;
  const instancePath = makeInstance({
    catalogPath,
    systemIdentifier: "7710370190872320199",
    walSegmentBytes: WAL_SEGMENT_BYTES,
  });
  let parentId: string | undefined;
  for (let number = 0; number <= plan.increments; number++) {
    using backup = new SyntheticBackup(instancePath, number, parentId);
    backup.addDatabase(OID);
    const stored = streamOf(number, storedBlocks(plan, number));
    Deno.writeFileSync(`${backup.dirPath}/database/${RELATION}`, stored.bytes);
    const region = deflate(stored.headers, { level: 1 });
    if (plan.hasHeaderMap !== false) {
      Deno.writeFileSync(`${backup.dirPath}/page_header_map`, region);
    }
    const entry: ContentEntry = {
      ...PLAIN_ENTRY,
      path: RELATION,
      databaseOid: OID,
      mode: 0o100600,
      isDataFile: true,
      codec: "zlib",
      size: stored.bytes.length,
      crc: crc32c(stored.bytes),
      fullSize: stored.count * PAGE_BYTES,
      blockCount: plan.blocks,
    };
    backup.add(
      plan.hasHeaderMap === false ? entry : {
        ...entry,
        headerCount: stored.count,
        headersCrc: crc32c(stored.headers),
        headersSize: region.length,
      },
    );
    backup.finish("zlib");
    parentId = backup.id;
  }
}

/** The backup, by number, that holds the newest page of a block. */
export function newestOf(plan: RelationPlan, block: number): number {
  for (let number = plan.increments; number > 0; number--) {
    if (isChanged(plan, number, block)) return number;
  }
  return 0;
}

/** The page that a backup stores of a block. */
export function pageOf(number: number, block: number): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(PAGE_BYTES).fill(1 + block % PAGES, 0, 4096);
  new DataView(page.buffer).setUint32(0, number, true);
  // Bytes that do not shrink, so that there is something to inflate.
  let state = number * PAGES + block % PAGES + 1;
  for (let at = 4096; at < 6144; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    page[at] = state >>> 24;
  }
  return page;
}

function isChanged({ blocks, changedBlocks }: RelationPlan, number: number, block: number) {
  const apart = Math.floor(blocks / changedBlocks);
  return block % apart === number % apart;
}

function storedBlocks(plan: RelationPlan, number: number): number[] {
  const all = Array.from({ length: plan.blocks }, (_, block) => block);
  return number === 0 ? all : all.filter((block) => isChanged(plan, number, block));
}

/** A stream of pages, and what the header map has of it, not deflated. */
function streamOf(number: number, blocks: readonly number[]) {
  const payloads = Array.from(
    { length: PAGES },
    (_, kind) => deflate(pageOf(number, kind), { level: 1 }),
  );
  const payloadOf = (block: number) => payloads[block % PAGES]!;
  const sizeBytes = blocks.reduce(
    (sum, block) => sum + RECORD_HEADER_BYTES + payloadOf(block).length,
    0,
  );
  const bytes = new Uint8Array(sizeBytes);
  const headers = new Uint8Array((blocks.length + 1) * ELEMENT_BYTES);
  const view = new DataView(bytes.buffer);
  const elements = new DataView(headers.buffer);
  let at = 0;
  blocks.forEach((block, index) => {
    const payload = payloadOf(block);
    // An LSN and a checksum, which differ from page to page and do not deflate well.
    elements.setUint32(index * ELEMENT_BYTES, Math.imul(block + 1, 2654435761), true);
    elements.setUint16(index * ELEMENT_BYTES + 16, Math.imul(block + 1, 40503) >>> 7, true);
    elements.setInt32(index * ELEMENT_BYTES + 8, block, true);
    elements.setInt32(index * ELEMENT_BYTES + 12, at, true);
    view.setUint32(at, block, true);
    view.setInt32(at + 4, payload.length, true);
    bytes.set(payload, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + payload.length;
  });
  elements.setInt32(blocks.length * ELEMENT_BYTES + 12, at, true);
  return { bytes, headers, count: blocks.length };
}
