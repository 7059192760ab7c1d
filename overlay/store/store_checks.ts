/**
 * Holds what a metadata store holds against what can be, before anything of it is taken into memory:
 * whoever wrote the file need not have been pbkfs.
 *
 * SQLite itself finds numbers and lengths that are out of bounds, without handing them over; a number
 * beyond 2^53 could not be. That records fit each other is looked at when they are put together, see
 * `state_check.ts`.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { BLOCK_SIZE_BYTES } from "../../backup/mod.ts";
import { PbkfsError } from "../../errors.ts";
import { PAGE_MAP_PART_SIZE_BYTES } from "./metadata_store.ts";

/** Rows that a table may have: then a mount takes some gigabytes of memory. */
const ROWS_MAX = 20_000_000;

/** The longest file: ext4's limit. */
const SIZE_MAX = 2 ** 44;
const SAFE_MAX = Number.MAX_SAFE_INTEGER;
const UINT32_MAX = 2 ** 32 - 1;
/** A part of a page map has a bit for each page. */
const PART_MAX = SIZE_MAX / (PAGE_MAP_PART_SIZE_BYTES * 8 * BLOCK_SIZE_BYTES);
/** The longest path that Linux takes. */
const TARGET_BYTES_MAX = 4096;

const time = (name: string) =>
  `${name}_s BETWEEN -${SAFE_MAX} AND ${SAFE_MAX} AND ${name}_ns BETWEEN 0 AND 999999999`;

/** For each table of the first version, what holds for each row. */
const RULES = {
  inode: `ino BETWEEN 1 AND ${SAFE_MAX} AND (mode & 0xf000) IN
      (0x1000, 0x2000, 0x4000, 0x6000, 0x8000, 0xa000, 0xc000) AND mode BETWEEN 0 AND 0xffff
    AND uid BETWEEN 0 AND ${UINT32_MAX} AND gid BETWEEN 0 AND ${UINT32_MAX}
    AND links BETWEEN 0 AND ${UINT32_MAX} AND rdev BETWEEN 0 AND ${UINT32_MAX}
    AND ${time("accessed")} AND ${time("modified")} AND ${time("changed")}
    AND coalesce(length(target), 0) <= ${TARGET_BYTES_MAX} AND coalesce(instr(target, x'00'), 0) = 0`,
  name: `parent BETWEEN 1 AND ${SAFE_MAX} AND ino BETWEEN 0 AND ${SAFE_MAX}
    AND length(name) BETWEEN 1 AND 255 AND instr(name, x'00') = 0 AND instr(name, x'2f') = 0
    AND name NOT IN (x'2e', x'2e2e')`,
  content: `ino BETWEEN 1 AND ${SAFE_MAX} AND form IN ('whole', 'paged')
    AND data_id BETWEEN 1 AND ${SAFE_MAX} AND size_bytes BETWEEN 0 AND ${SIZE_MAX}
    AND base_limit_bytes BETWEEN 0 AND ${SIZE_MAX}`,
  page_map: `ino BETWEEN 1 AND ${SAFE_MAX} AND part BETWEEN 0 AND ${PART_MAX}
    AND length(bits) = ${PAGE_MAP_PART_SIZE_BYTES}`,
  extended_attribute: `ino BETWEEN 1 AND ${SAFE_MAX} AND length(name) BETWEEN 1 AND 255
    AND length(value) <= 65536`,
  counter: `value BETWEEN 0 AND ${SAFE_MAX}`,
} as const;

/** What later versions of the schema have more. */
const BORN_RULE = `(born_s IS NULL OR (${time("born")}))`;
const LENGTH_RULE = `(length_bytes IS NULL OR length_bytes BETWEEN 0 AND ${SIZE_MAX})`;
const DELETED_RULE = `data_id BETWEEN 1 AND ${SAFE_MAX}`;

/** For each table of a version of the schema, what holds for each row, in SQL. */
export function rulesOf(version: number): Readonly<Record<string, string>> {
  const { inode, content, ...rest } = RULES;
  return {
    ...rest,
    inode: version < 2 ? inode : `${inode} AND ${BORN_RULE}`,
    content: version < 3 ? content : `${content} AND ${LENGTH_RULE}`,
    ...(version >= 3 && { deleted_data: DELETED_RULE }),
  };
}

/** The columns of each table of the first version, in their order. */
const COLUMNS = {
  inode: "ino,mode,uid,gid,links,rdev,accessed_s,accessed_ns,modified_s,modified_ns," +
    "changed_s,changed_ns,target",
  name: "parent,name,ino",
  content: "ino,form,data_id,size_bytes,base_limit_bytes",
  page_map: "ino,part,bits",
  extended_attribute: "ino,name,value",
  counter: "name,value",
} as const;

function columnsOf(version: number): Readonly<Record<string, string>> {
  const { inode, content, ...rest } = COLUMNS;
  return {
    ...rest,
    inode: version < 2 ? inode : `${inode},born_s,born_ns`,
    content: version < 3 ? content : `${content},length_bytes`,
    ...(version >= 3 && { deleted_data: "data_id" }),
  };
}

/**
 * Tables, and nothing else: a view in place of one could compute without an end.
 *
 * @param version Of the schema; 0 before there is one.
 * @throws {PbkfsError} `DiffDamaged`
 */
export function checkTables(database: DatabaseSync, path: string, version: number): void {
  if (version === 0) return;
  const others = database.prepare(
    `SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index')
       OR sql LIKE 'CREATE VIRTUAL%' LIMIT 1`,
  ).get();
  if (others !== undefined) throw damaged(path, `it has "${others.name}", which is no table`);
  const columns = database.prepare(
    `SELECT group_concat(name, ',') AS names, sum(hidden) AS hidden FROM pragma_table_xinfo(?)`,
  );
  for (const [table, expected] of Object.entries(columnsOf(version))) {
    const { names, hidden } = columns.get(table) as Record<string, unknown>;
    if (names !== expected || hidden !== 0) {
      throw damaged(path, `its table "${table}" has the columns ${names ?? "of no table"}`);
    }
  }
}

/**
 * @returns How many rows each table has.
 * @throws {PbkfsError} `DiffDamaged` if a row cannot be, or if there are too many.
 */
export function checkRows(
  database: DatabaseSync,
  path: string,
  version: number,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [table, rule] of Object.entries(rulesOf(version))) {
    const { count } = database.prepare(
      `SELECT count(*) AS count FROM (SELECT 1 FROM ${table} LIMIT ${ROWS_MAX + 1})`,
    ).get() as { count: number };
    if (count > ROWS_MAX) {
      throw damaged(path, `its table "${table}" has more than ${ROWS_MAX} rows`);
    }
    counts.set(table, count);
    // A row for which the rule is neither true nor false has NULL where nothing may be NULL.
    const bad = database.prepare(`SELECT 1 FROM ${table} WHERE (${rule}) IS NOT TRUE LIMIT 1`)
      .get();
    if (bad !== undefined) throw damaged(path, `its table "${table}" has a row that cannot be`);
  }
  return counts;
}

function damaged(path: string, why: string): PbkfsError {
  return new PbkfsError("DiffDamaged", {
    what: `The metadata store "${path}" is damaged: ${why}`,
    todo: "Restore the diff from a copy, or start with an empty diff directory.",
  });
}
