/**
 * The metadata store that comes with pbkfs: one SQLite file in the diff.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { existsSync, rmSync } from "node:fs";
import { besideStore } from "../../binding/mod.ts";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { bytesOf, type ByteString, byteString, byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import type { Ino } from "../../fuse/mod.ts";
import { CommitSpace } from "./commit_space.ts";
import {
  checkGeneration,
  type ExpectedGeneration,
  GenerationRecord,
  readGeneration,
  RESTORE_OR_SALVAGE,
} from "./generation_record.ts";
import type {
  ContentRecord,
  DataId,
  InodeRecord,
  MetadataBatch,
  MetadataState,
  NameRecord,
  PromptStore,
} from "./metadata_store.ts";
import { checkRows, checkTables, rulesOf } from "./store_checks.ts";
import { type PackedState, StatePacker, StoredState, type StoreFacts } from "./stored_state.ts";

/** What `PRAGMA user_version` says in a store of this pbkfs. */
export const SCHEMA_VERSION = 3;

/** Marks a SQLite file as a pbkfs diff, in `PRAGMA application_id`: "pbkf". */
const APPLICATION_ID = 0x70626b66;

/**
 * Each step leads from the version that is its index to the next. To change the schema, add one.
 * Names and targets are bytes; a name's `ino` is 0 for a whiteout.
 */
const MIGRATIONS = [
  `CREATE TABLE inode (
     ino INTEGER PRIMARY KEY, mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
     links INTEGER NOT NULL, rdev INTEGER NOT NULL,
     accessed_s INTEGER NOT NULL, accessed_ns INTEGER NOT NULL,
     modified_s INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
     changed_s INTEGER NOT NULL, changed_ns INTEGER NOT NULL, target BLOB) STRICT;
   CREATE TABLE name (
     parent INTEGER NOT NULL, name BLOB NOT NULL, ino INTEGER NOT NULL,
     PRIMARY KEY (parent, name)) STRICT, WITHOUT ROWID;
   CREATE TABLE content (
     ino INTEGER PRIMARY KEY, form TEXT NOT NULL, data_id INTEGER NOT NULL,
     size_bytes INTEGER NOT NULL, base_limit_bytes INTEGER NOT NULL) STRICT;
   CREATE TABLE page_map (
     ino INTEGER NOT NULL, part INTEGER NOT NULL, bits BLOB NOT NULL,
     PRIMARY KEY (ino, part)) STRICT, WITHOUT ROWID;
   CREATE TABLE extended_attribute (
     ino INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
     PRIMARY KEY (ino, name)) STRICT, WITHOUT ROWID;
   CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;`,
  `ALTER TABLE inode ADD COLUMN born_s INTEGER;
   ALTER TABLE inode ADD COLUMN born_ns INTEGER;`,
  `ALTER TABLE content ADD COLUMN length_bytes INTEGER;
   CREATE TABLE deleted_data (data_id INTEGER PRIMARY KEY) STRICT;`,
];

const STATEMENTS = {
  inode: `INSERT OR REPLACE INTO inode VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
  name: `INSERT OR REPLACE INTO name VALUES (?,?,?)`,
  dropName: `DELETE FROM name WHERE parent = ? AND name = ?`,
  content: `INSERT OR REPLACE INTO content VALUES (?,?,?,?,?,?)`,
  pages: `INSERT OR REPLACE INTO page_map VALUES (?,?,?)`,
  dropPages: `DELETE FROM page_map WHERE ino = ? AND part = ?`,
  attribute: `INSERT OR REPLACE INTO extended_attribute VALUES (?,?,?)`,
  dropAttribute: `DELETE FROM extended_attribute WHERE ino = ? AND name = ?`,
  counter: `INSERT OR REPLACE INTO counter VALUES (?,?)`,
  forget: `DELETE FROM deleted_data WHERE data_id = ?`,
} as const;

const REMOVALS = [
  "INSERT OR IGNORE INTO deleted_data SELECT data_id FROM content WHERE ino = ?",
  ...["inode", "content", "page_map", "extended_attribute"].map(
    (table) => `DELETE FROM ${table} WHERE ino = ?`,
  ),
];

type Row = Record<string, unknown>;

/** Limits; for tests, some that are met sooner. */
export interface SqliteStoreOptions {
  /** How long to wait for another process to let go of the file. */
  readonly busyTimeoutMs?: number;
  /** Pages, of 4 KiB, that the file may have. */
  readonly pagesMax?: number;
}

/** What is known of a store before it is opened, and who is told of what it survives. */
export interface OpenStoreOptions extends SqliteStoreOptions {
  /** The generation that the diff's binding tells; missing if it tells none. */
  readonly generation?: number | undefined;
  /** Whether the diff holds what only a store can have named: then there must be one. */
  readonly mustExist?: boolean;
  readonly onProblem?: (what: string, error: unknown) => void;
}

/** A {@link PromptStore} in a SQLite file. */
export class SqliteStore implements PromptStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: { readonly [Name in keyof typeof STATEMENTS]: StatementSync };
  readonly #removals: readonly StatementSync[];
  readonly #space: CommitSpace;
  readonly #record: GenerationRecord;
  readonly #onProblem: (what: string, error: unknown) => void;
  /** Of the last commit. */
  #generation: number;
  #isClean: boolean;
  #isRecordBehind = false;
  /** Data files that are gone, and still in the store. */
  #gone: DataId[] = [];

  /**
   * Opens a store, and makes it if there is none and none has to be. A store that has lost commits
   * is refused before anything is changed.
   *
   * @throws {PbkfsError} `DiffVersion` if a newer pbkfs made it, `DiffForeign` if it is another
   * program's, `DiffDamaged` if SQLite cannot read it, or it is not all that it was.
   */
  constructor(path: string, options: OpenStoreOptions = {}) {
    this.#path = path;
    this.#onProblem = options.onProblem ?? (() => {});
    const isNew = !existsSync(path);
    const expected = this.#guard("open", () => mustBeWhole(path, options));
    this.#database = this.#guard("open", () => new DatabaseSync(path));
    let record: GenerationRecord | undefined;
    try {
      const isMade = this.#guard("open", () => this.#prepare(isNew, options));
      const counters = this.#guard("read", () => readCounters(this.#database));
      this.#generation = counters.get("generation") ?? 0;
      checkGeneration(path, this.#generation, expected);
      this.#isClean = counters.get("is_clean") === 1;
      record = new GenerationRecord(besideStore(path).generation);
      this.#record = record;
      const prepare = (sql: string) => this.#database.prepare(sql);
      this.#statements = Object.fromEntries(
        Object.entries(STATEMENTS).map(([name, sql]) => [name, prepare(sql)]),
      ) as { [Name in keyof typeof STATEMENTS]: StatementSync };
      this.#removals = REMOVALS.map(prepare);
      this.#space = new CommitSpace(path);
      if (isMade || expected.recorded === undefined) {
        this.#guard("write", () => this.#begin(isMade));
      }
    } catch (error) {
      record?.close();
      this.#database.close();
      throw error;
    }
  }

  /** Of the last commit. */
  get generation(): number {
    return this.#generation;
  }

  load(): MetadataState {
    const state = new StoredState(this.loadPacked());
    return {
      inodes: [...state.inodes],
      names: [...state.names],
      contents: [...state.contents],
      pages: [...state.pages],
      extendedAttributes: [...state.extendedAttributes],
      deleted: [...state.deleted],
      ...state.facts,
    };
  }

  /** @throws {PbkfsError} `DiffDamaged` if something is in it that cannot be. */
  loadPacked(): PackedState {
    const packed = this.#guard("read", () => {
      const counts = checkRows(this.#database, this.#path, SCHEMA_VERSION);
      return readState(this.#database, { version: SCHEMA_VERSION, isSound: true, counts });
    });
    // Who mounts deletes what is still there of them before anything is committed.
    for (const id of new StoredState(packed).deleted) this.#gone.push(id);
    return packed;
  }

  commit(batches: readonly MetadataBatch[]): void {
    const generation = this.#generation + 1;
    const isClean = batches.at(-1)?.isLast === true;
    this.#guard("write", () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        for (const batch of batches) this.#write(batch);
        for (const id of this.#gone) this.#statements.forget.run(id);
        this.#statements.counter.run("generation", generation);
        if (isClean !== this.#isClean) this.#statements.counter.run("is_clean", isClean ? 1 : 0);
        this.#database.exec("COMMIT");
      } catch (error) {
        // SQLite itself rolls back after some errors, a full disk among them.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
    this.#generation = generation;
    this.#isClean = isClean;
    this.#gone = [];
    this.#tellGeneration();
    this.#space.committed();
  }

  dataDeleted(id: DataId): void {
    this.#gone.push(id);
  }

  close(): void {
    // From here on the record must not be older than the store, whatever becomes of the machine.
    this.#survive(() => this.#record.sync());
    this.#database.close();
    this.#space.close();
    this.#record.close();
  }

  /** The first commit that is counted, durable with its record. */
  #begin(isMade: boolean): void {
    if (isMade) this.#statements.counter.run("keeps_lengths", 1);
    this.commit([]);
    this.#record.sync();
    const directory = this.#path.slice(0, Math.max(1, this.#path.lastIndexOf("/")));
    const libc = systemLibc();
    const fd = libc.open(byteStringOf(directory), OPEN.readOnly | OPEN.directory);
    try {
      libc.fsync(fd);
    } finally {
      libc.close(fd);
    }
  }

  /** What was committed is durable, whether this succeeds or not. */
  #tellGeneration(): void {
    this.#survive(() => this.#record.write(this.#generation));
  }

  /** Without a record as new as the store, less is noticed; nobody's sync fails for that. */
  #survive(body: () => void): void {
    try {
      body();
      this.#isRecordBehind = false;
    } catch (error) {
      if (!this.#isRecordBehind) this.#onProblem("tell the generation of the metadata", error);
      this.#isRecordBehind = true;
    }
  }

  /** @returns Whether the store has been made now. */
  #prepare(isNew: boolean, { busyTimeoutMs = 5000, pagesMax }: SqliteStoreOptions): boolean {
    // One process has a diff, so the file can stay locked and needs no shared memory beside it.
    this.#database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = ${busyTimeoutMs}`);
    if (pagesMax !== undefined) this.#database.exec(`PRAGMA max_page_count = ${pagesMax}`);
    const first = (sql: string) =>
      Object.values(this.#database.prepare(sql).get() as Row)[0] as number;
    const id = first("PRAGMA application_id");
    let version = first("PRAGMA user_version");
    // A crash may have come before the first transaction.
    const isEmpty = id === 0 && version === 0 && first("SELECT count(*) FROM sqlite_schema") === 0;
    if (!isNew && id !== APPLICATION_ID && !isEmpty) {
      throw new PbkfsError("DiffForeign", {
        what: `"${this.#path}" is a SQLite file of another program (application id ${id})`,
        todo: "Choose another diff directory.",
      });
    }
    if (version > SCHEMA_VERSION) throw newer(this.#path, version);
    checkTables(this.#database, this.#path, version);
    // A commit is durable when it returns: the write-ahead log is synced each time.
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    if (version === SCHEMA_VERSION) return false;
    const isMade = version === 0;
    this.#database.exec("BEGIN IMMEDIATE");
    for (; version < SCHEMA_VERSION; version++) this.#database.exec(MIGRATIONS[version] as string);
    this.#database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
    );
    return isMade;
  }

  #write(batch: MetadataBatch): void {
    const run = this.#statements;
    for (const inode of batch.inodes) run.inode.run(...fromInode(inode));
    for (const { parent, name, to } of batch.names) {
      if (to === "none") run.dropName.run(parent, bytesOf(name));
      else run.name.run(parent, bytesOf(name), to === "whiteout" ? 0 : to);
    }
    for (const c of batch.contents) {
      const { ino, form, dataId, sizeBytes, baseLimitBytes, lengthBytes = null } = c;
      run.content.run(ino, form, dataId, sizeBytes, baseLimitBytes, lengthBytes);
    }
    for (const { ino, part, bits } of batch.pages) {
      if (bits.every((byte) => byte === 0)) run.dropPages.run(ino, part);
      else run.pages.run(ino, part, bits);
    }
    for (const { ino, name, value } of batch.extendedAttributes) {
      if (value === undefined) run.dropAttribute.run(ino, bytesOf(name));
      else run.attribute.run(ino, bytesOf(name), value);
    }
    for (const ino of batch.removed) for (const remove of this.#removals) remove.run(ino);
    run.counter.run("next_ino", batch.nextNumbers.nextIno);
    run.counter.run("next_data_id", batch.nextNumbers.nextDataId);
  }

  /** SQLite's errors as ours. */
  #guard<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw storeError(error, this.#path, what);
    }
  }
}

/**
 * What a store must be before it is opened for writing, which would take away what is left of it.
 *
 * @throws {PbkfsError} `DiffDamaged` if it is not there, or has lost commits.
 */
export function mustBeWhole(path: string, options: OpenStoreOptions): ExpectedGeneration {
  const recorded = readGeneration(besideStore(path).generation);
  const bound = options.generation;
  const isKnown = recorded !== undefined || bound !== undefined || options.mustExist === true;
  const expected = { bound, recorded };
  if (!isKnown) return expected;
  const refuse = (what: string) => {
    throw new PbkfsError("DiffDamaged", { what, todo: RESTORE_OR_SALVAGE });
  };
  const sizeBytes = sizeIfAny(path);
  if (sizeBytes === undefined) refuse(`The metadata store "${path}" is missing`);
  if (sizeBytes === 0) refuse(`The metadata store "${path}" is empty`);
  if (bound !== undefined && recorded === undefined) {
    refuse(
      `"${besideStore(path).generation}", which tells of the last commit, is missing or damaged`,
    );
  }
  // Only a process that died leaves it: what opening the store reads of it, closing takes away.
  if (sizeIfAny(besideStore(path).log) !== undefined) {
    const generation = withStoredState(path, readCounters, options).get("generation") ?? 0;
    checkGeneration(path, generation, expected);
  }
  return expected;
}

/** @throws {PbkfsError} `DiffDamaged` if it is something else than a file: it could have no end. */
function sizeIfAny(path: string): number | undefined {
  try {
    const { isFile, size } = Deno.lstatSync(path);
    if (isFile) return size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  throw new PbkfsError("DiffDamaged", {
    what: `"${path}" is not a regular file, but a link, a directory, a pipe or the like`,
    todo: RESTORE_OR_SALVAGE,
  });
}

/**
 * Looks at a store that nobody has open, and leaves it as it is.
 *
 * @param body Gets the version of the schema as well; 0 before there is one.
 * @throws {PbkfsError} `DiffVersion`; `DiffDamaged` if it has other tables than ours.
 */
export function withStoredState<T>(
  path: string,
  body: (database: DatabaseSync, version: number) => T,
  { busyTimeoutMs = 5000 }: SqliteStoreOptions = {},
): T {
  const { log, logIndex } = besideStore(path);
  const besides = [log, logIndex].filter((path) => sizeIfAny(path) === undefined);
  sizeIfAny(path);
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
    if (version > SCHEMA_VERSION) throw newer(path, version);
    checkTables(database, path, version);
    return body(database, version);
  } finally {
    database.close();
    for (const path of besides) rmSync(path, { force: true });
  }
}

function isThere(database: DatabaseSync, table: string): boolean {
  const sql = "SELECT count(*) AS found FROM sqlite_schema WHERE name = ?";
  return database.prepare(sql).get(table)?.found === 1;
}

/** Numbers by name, those that can be; none of a database that has no such table. */
function readCounters(database: DatabaseSync): Map<string, number> {
  if (!isThere(database, "counter")) return new Map();
  const rows = database.prepare(
    `SELECT name, value FROM counter WHERE value BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}
       AND name IN ('next_ino', 'next_data_id', 'generation', 'is_clean', 'keeps_lengths')`,
  ).all() as Row[];
  return new Map(rows.map(({ name, value }) => [name as string, value as number]));
}

/**
 * All that a database of a version of the schema holds.
 *
 * @param isSound Whether each row can be, see {@link checkRows}; if not, those that cannot be are
 * left out.
 * @param counts How many rows each table has, if that is known.
 */
export function readState(
  database: DatabaseSync,
  { version, isSound, counts }: {
    readonly version: number;
    readonly isSound: boolean;
    readonly counts?: ReadonlyMap<string, number>;
  },
): PackedState {
  const packer = new StatePacker({
    inodes: counts?.get("inode") ?? 0,
    names: counts?.get("name") ?? 0,
    contents: counts?.get("content") ?? 0,
    pages: counts?.get("page_map") ?? 0,
  });
  const rules = rulesOf(version);
  const each = (table: string, order: string, take: (row: Row) => void) => {
    if (rules[table] === undefined || version === 0) return;
    const where = isSound ? "" : `WHERE (${rules[table]}) IS TRUE`;
    const sql = `SELECT * FROM ${table} ${where} ORDER BY ${order}`;
    for (const row of database.prepare(sql).iterate()) take(row as Row);
  };
  each("inode", "ino", (row) => packer.addInode(toInode(row)));
  each("name", "parent, name", (row) => packer.addName(toName(row)));
  each("content", "ino", (row) => packer.addContent(toContent(row)));
  each(
    "page_map",
    "ino, part",
    (r) => packer.addPages({ ino: r.ino as Ino, part: r.part as number, bits: toBytes(r.bits) }),
  );
  each("extended_attribute", "ino, name", (r) => {
    const name = byteString(toBytes(r.name));
    packer.addAttribute({ ino: r.ino as Ino, name, value: toBytes(r.value) });
  });
  each("deleted_data", "data_id", (row) => packer.addDeleted(row.data_id as DataId));
  return packer.done(factsOf(readCounters(database)));
}

function factsOf(counters: ReadonlyMap<string, number>): StoreFacts {
  const nextIno = counters.get("next_ino");
  const nextDataId = counters.get("next_data_id");
  const isNew = nextIno === undefined && nextDataId === undefined;
  return {
    // If there is only one of them, it is noticed when they are held against what is used.
    nextNumbers: isNew ? undefined : { nextIno: nextIno ?? 0, nextDataId: nextDataId ?? 0 },
    isClean: counters.get("is_clean") === 1,
    keepsLengths: counters.get("keeps_lengths") === 1,
    generation: counters.get("generation") ?? 0,
  };
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** What SQLite's error codes are called. Source: sqlite3_errstr(). */
const CODE_OF_MESSAGE: Readonly<Record<string, number>> = {
  "database is locked": SQLITE_BUSY,
  "database disk image is malformed": SQLITE_CORRUPT,
  "database or disk is full": SQLITE_FULL,
  "file is not a database": SQLITE_NOTADB,
};

/** The refusal of a store of a later schema. */
function newer(path: string, version: number): PbkfsError {
  return new PbkfsError("DiffVersion", {
    what: `"${path}" has schema version ${version}; this pbkfs knows ${SCHEMA_VERSION}`,
    todo: "Mount this diff with the newer pbkfs that wrote it.",
  });
}

/** An error that a store has met, as ours. */
export function storeError(error: unknown, path: string, what = "read"): PbkfsError {
  if (error instanceof PbkfsError) return error;
  return fromSqliteError(error, `Cannot ${what} the metadata store "${path}"`);
}

function fromSqliteError(error: unknown, what: string): PbkfsError {
  const message = error instanceof Error ? error.message : String(error);
  // Of exec(), through which a COMMIT goes, there is only the message.
  const known = (error as { errcode?: number }).errcode ?? CODE_OF_MESSAGE[message] ?? 0;
  const code = known & 0xff;
  const options = { what: `${what}: ${message}`, cause: error };
  switch (code) {
    case SQLITE_BUSY:
      return new PbkfsError("DiffInUse", { ...options, todo: "Unmount the other mount first." });
    case SQLITE_FULL:
      return new PbkfsError("Io", { ...options, errno: ERRNO.ENOSPC, todo: "Free some space." });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new PbkfsError("DiffDamaged", {
        ...options,
        todo: "Restore the diff from a copy, or start with an empty diff directory.",
      });
    default:
      return new PbkfsError("Io", { ...options, todo: "Check the diff's file system." });
  }
}

function toBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value as Uint8Array<ArrayBuffer>);
}

function toInode(r: Row): InodeRecord {
  const time = (name: string) => ({
    seconds: r[`${name}_s`] as number,
    nanoseconds: r[`${name}_ns`] as number,
  });
  return {
    ino: r.ino as Ino,
    mode: r.mode as number,
    uid: r.uid as number,
    gid: r.gid as number,
    links: r.links as number,
    rdev: r.rdev as number,
    accessed: time("accessed"),
    modified: time("modified"),
    changed: time("changed"),
    ...(typeof r.born_s === "number" && { born: time("born") }),
    ...(r.target !== null && { target: byteString(toBytes(r.target)) }),
  };
}

function fromInode(inode: InodeRecord): (number | Uint8Array | null)[] {
  const { ino, mode, uid, gid, links, rdev, accessed, modified, changed, target, born } = inode;
  const times = [accessed, modified, changed].flatMap((t) => [t.seconds, t.nanoseconds]);
  const made = [born?.seconds ?? null, born?.nanoseconds ?? null];
  return [ino, mode, uid, gid, links, rdev, ...times, target ? bytesOf(target) : null, ...made];
}

function toName(r: Row): NameRecord {
  const to = r.ino === 0 ? "whiteout" : (r.ino as Ino);
  return { parent: r.parent as Ino, name: byteString(toBytes(r.name)) as ByteString, to };
}

function toContent(r: Row): ContentRecord {
  return {
    ino: r.ino as Ino,
    form: r.form as "whole" | "paged",
    dataId: r.data_id as DataId,
    sizeBytes: r.size_bytes as number,
    baseLimitBytes: r.base_limit_bytes as number,
    ...(typeof r.length_bytes === "number" && { lengthBytes: r.length_bytes }),
  };
}
