/**
 * The metadata store that comes with pbkfs: one SQLite file in the diff.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { existsSync } from "node:fs";
import { ERRNO, PbkfsError } from "../errors.ts";
import { bytesOf, type ByteString, byteString } from "../ffi/bytes.ts";
import type { Ino } from "../fuse/mod.ts";
import { CommitSpace } from "./commit_space.ts";
import { checkRows, checkTables } from "./store_checks.ts";
import { type PackedState, StatePacker, StoredState } from "./stored_state.ts";
import type {
  ContentRecord,
  DataId,
  InodeRecord,
  MetadataBatch,
  MetadataState,
  MetadataStore,
  NameRecord,
} from "./metadata_store.ts";

/** What `PRAGMA user_version` says in a store of this pbkfs. */
export const SCHEMA_VERSION = 2;

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
];

const STATEMENTS = {
  inode: `INSERT OR REPLACE INTO inode VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
  name: `INSERT OR REPLACE INTO name VALUES (?,?,?)`,
  dropName: `DELETE FROM name WHERE parent = ? AND name = ?`,
  content: `INSERT OR REPLACE INTO content VALUES (?,?,?,?,?)`,
  pages: `INSERT OR REPLACE INTO page_map VALUES (?,?,?)`,
  dropPages: `DELETE FROM page_map WHERE ino = ? AND part = ?`,
  attribute: `INSERT OR REPLACE INTO extended_attribute VALUES (?,?,?)`,
  dropAttribute: `DELETE FROM extended_attribute WHERE ino = ? AND name = ?`,
  counter: `INSERT OR REPLACE INTO counter VALUES (?,?)`,
} as const;

const REMOVALS = ["inode", "content", "page_map", "extended_attribute"].map(
  (table) => `DELETE FROM ${table} WHERE ino = ?`,
);

type Row = Record<string, unknown>;

/** For tests: limits that are met sooner. */
export interface SqliteStoreOptions {
  /** How long to wait for another process to let go of the file. */
  readonly busyTimeoutMs?: number;
  /** Pages, of 4 KiB, that the file may have. */
  readonly pagesMax?: number;
}

/** A {@link MetadataStore} in a SQLite file. */
export class SqliteStore implements MetadataStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: { readonly [Name in keyof typeof STATEMENTS]: StatementSync };
  readonly #removals: readonly StatementSync[];
  readonly #space: CommitSpace;

  /**
   * Opens a store, and makes it if there is none.
   *
   * @throws {PbkfsError} `DiffVersion` if a newer pbkfs made it, `DiffForeign` if it is another
   * program's, `DiffDamaged` if SQLite cannot read it.
   */
  constructor(path: string, options: SqliteStoreOptions = {}) {
    this.#path = path;
    const isNew = !existsSync(path);
    this.#database = this.#guard("open", () => new DatabaseSync(path));
    try {
      this.#guard("open", () => this.#prepare(isNew, options));
      const prepare = (sql: string) => this.#database.prepare(sql);
      this.#statements = Object.fromEntries(
        Object.entries(STATEMENTS).map(([name, sql]) => [name, prepare(sql)]),
      ) as { [Name in keyof typeof STATEMENTS]: StatementSync };
      this.#removals = REMOVALS.map(prepare);
      this.#space = new CommitSpace(path);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  load(): MetadataState {
    const { inodes, names, contents, pages, extendedAttributes, counters } = new StoredState(
      this.loadPacked(),
    );
    return {
      ...{ inodes: [...inodes], names: [...names], contents: [...contents], pages: [...pages] },
      ...{ extendedAttributes: [...extendedAttributes], counters },
    };
  }

  /** @throws {PbkfsError} `DiffDamaged` if something is in it that cannot be. */
  loadPacked(): PackedState {
    return this.#guard("read", () => {
      const counts = checkRows(this.#database, this.#path);
      const packer = new StatePacker({
        inodes: counts.get("inode") ?? 0,
        names: counts.get("name") ?? 0,
        contents: counts.get("content") ?? 0,
        pages: counts.get("page_map") ?? 0,
      });
      const each = (sql: string, take: (row: Row) => void) => {
        for (const row of this.#database.prepare(sql).iterate()) take(row as Row);
      };
      each("SELECT * FROM inode ORDER BY ino", (row) => packer.addInode(toInode(row)));
      each("SELECT * FROM name ORDER BY parent, name", (row) => packer.addName(toName(row)));
      each("SELECT * FROM content ORDER BY ino", (row) => packer.addContent(toContent(row)));
      each(
        "SELECT * FROM page_map ORDER BY ino, part",
        (r) =>
          packer.addPages({ ino: r.ino as Ino, part: r.part as number, bits: toBytes(r.bits) }),
      );
      each(
        "SELECT * FROM extended_attribute ORDER BY ino, name",
        (r) =>
          packer.addAttribute({
            ino: r.ino as Ino,
            name: byteString(toBytes(r.name)),
            value: toBytes(r.value),
          }),
      );
      const counters = new Map<unknown, unknown>();
      each("SELECT * FROM counter", (row) => counters.set(row.name, row.value));
      return packer.done(
        counters.size === 0 ? undefined : {
          nextIno: counters.get("next_ino") as number,
          nextDataId: counters.get("next_data_id") as number,
        },
      );
    });
  }

  commit(batches: readonly MetadataBatch[]): void {
    this.#guard("write", () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        for (const batch of batches) this.#write(batch);
        this.#database.exec("COMMIT");
      } catch (error) {
        // SQLite itself rolls back after some errors, a full disk among them.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
    this.#space.committed();
  }

  close(): void {
    this.#database.close();
    this.#space.close();
  }

  #prepare(isNew: boolean, { busyTimeoutMs = 5000, pagesMax }: SqliteStoreOptions): void {
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
    if (version > SCHEMA_VERSION) {
      throw new PbkfsError("DiffVersion", {
        what: `"${this.#path}" has schema version ${version}; this pbkfs knows ${SCHEMA_VERSION}`,
        todo: "Mount this diff with the newer pbkfs that wrote it.",
      });
    }
    checkTables(this.#database, this.#path, version);
    // A commit is durable when it returns: the write-ahead log is synced each time.
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    if (version === SCHEMA_VERSION) return;
    this.#database.exec("BEGIN IMMEDIATE");
    for (; version < SCHEMA_VERSION; version++) this.#database.exec(MIGRATIONS[version] as string);
    this.#database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
    );
  }

  #write(batch: MetadataBatch): void {
    const run = this.#statements;
    for (const inode of batch.inodes) run.inode.run(...fromInode(inode));
    for (const { parent, name, to } of batch.names) {
      if (to === "none") run.dropName.run(parent, bytesOf(name));
      else run.name.run(parent, bytesOf(name), to === "whiteout" ? 0 : to);
    }
    for (const c of batch.contents) {
      run.content.run(c.ino, c.form, c.dataId, c.sizeBytes, c.baseLimitBytes);
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
    run.counter.run("next_ino", batch.counters.nextIno);
    run.counter.run("next_data_id", batch.counters.nextDataId);
  }

  /** SQLite's errors as ours. */
  #guard<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (error instanceof PbkfsError) throw error;
      throw fromSqliteError(error, `Cannot ${what} the metadata store "${this.#path}"`);
    }
  }
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
    ...(r.born_s !== null && { born: time("born") }),
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
  };
}
