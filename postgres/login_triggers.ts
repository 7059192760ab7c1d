/**
 * Databases with event triggers at login, of PostgreSQL 17 and later: they run production's code as
 * soon as somebody connects to the clone. Their flag is in `pg_database`, which is read page by
 * page, since at the time of a mount there is no server to ask.
 *
 * @see src/include/catalog/pg_database.h, access/htup_details.h, storage/bufpage.h in PostgreSQL
 *
 * @module
 */

import { BLOCK_SIZE_BYTES } from "./block_size.ts";

/** The first version that has them. */
export const LOGIN_TRIGGERS_SINCE = 17;

/** Of a page's header. */
const PAGE = { lower: 12, pointers: 24 };
const POINTER = { bytes: 4, normal: 1 };
const TUPLE = { infomask: 20, dataOffset: 22 };
/** Both bits: the tuple is frozen, which is to say valid. */
const [XMIN_COMMITTED, XMIN_INVALID, XMAX_COMMITTED, XMAX_INVALID] = [0x100, 0x200, 0x400, 0x800];
/** The members of `pg_database` that we need. They come first and have fixed lengths. */
const DATABASE = { name: 4, nameBytes: 64, hasLoginEvent: 79, bytes: 80 };

const PG_DATABASE = 1262;
const MAP = { magic: 0x592717, count: 4, mappings: 8, mappingBytes: 8 };

/**
 * The file of `pg_database` in the data directory.
 *
 * @param map The bytes of `global/pg_filenode.map`.
 * @returns undefined if the map is not one.
 * @see src/backend/utils/cache/relmapper.c in PostgreSQL
 */
export function databaseFile(map: Uint8Array): string | undefined {
  const view = new DataView(map.buffer, map.byteOffset, map.byteLength);
  if (map.length < MAP.mappings || view.getInt32(0, true) !== MAP.magic) return undefined;
  const count = view.getInt32(MAP.count, true);
  for (let at = MAP.mappings, n = 0; n < count && at + MAP.mappingBytes <= map.length; n++) {
    if (view.getUint32(at, true) === PG_DATABASE) return `global/${view.getUint32(at + 4, true)}`;
    at += MAP.mappingBytes;
  }
  return undefined;
}

/**
 * The names of databases whose connections fire a trigger, or may do so. Recovery may change that.
 *
 * @param pages Those of `pg_database`.
 */
export function loginTriggerDatabases(pages: Uint8Array): string[] {
  const names = new Set<string>();
  for (let start = 0; start + BLOCK_SIZE_BYTES <= pages.length; start += BLOCK_SIZE_BYTES) {
    for (const tuple of tuplesOf(pages.subarray(start, start + BLOCK_SIZE_BYTES))) {
      if (tuple[DATABASE.hasLoginEvent] === 0) continue;
      const name = tuple.subarray(DATABASE.name, DATABASE.name + DATABASE.nameBytes);
      const end = name.indexOf(0);
      names.add(new TextDecoder().decode(end < 0 ? name : name.subarray(0, end)));
    }
  }
  return [...names];
}

/** What of each tuple is the table's, if it is known to be neither dead nor too short. */
function* tuplesOf(page: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const lower = Math.min(view.getUint16(PAGE.lower, true), BLOCK_SIZE_BYTES);
  for (let at = PAGE.pointers; at + POINTER.bytes <= lower; at += POINTER.bytes) {
    const pointer = view.getUint32(at, true);
    const [offset, flags, length] = [pointer & 0x7fff, (pointer >>> 15) & 3, pointer >>> 17];
    if (flags !== POINTER.normal || offset + length > BLOCK_SIZE_BYTES) continue;
    if (length <= TUPLE.dataOffset) continue;
    const infomask = view.getUint16(offset + TUPLE.infomask, true);
    const isAborted = (infomask & (XMIN_COMMITTED | XMIN_INVALID)) === XMIN_INVALID;
    const isDeleted = (infomask & (XMAX_COMMITTED | XMAX_INVALID)) === XMAX_COMMITTED;
    if (isAborted || isDeleted) continue;
    const start = offset + page[offset + TUPLE.dataOffset]!;
    const data = page.subarray(start, offset + length);
    if (data.length >= DATABASE.bytes) yield data;
  }
}
