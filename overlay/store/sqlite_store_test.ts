import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Code, ERRNO, PbkfsError } from "../../errors.ts";
import type { Ino } from "../../fuse/mod.ts";
import { testMetadataStore } from "../../testing/overlay/metadata_store_suite.ts";
import { inspectStore } from "../check/inspect_store.ts";
import { readGeneration } from "./generation_record.ts";
import { promised } from "./metadata_store.ts";
import { SCHEMA_VERSION, SqliteStore } from "./sqlite_store.ts";

testMetadataStore(
  "SqliteStore [FR-401]",
  (dirPath) => promised(new SqliteStore(`${dirPath}/metadata.sqlite`)),
);

async function inTempDir(body: (path: string) => void | Promise<void>): Promise<void> {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    await body(`${dirPath}/metadata.sqlite`);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
}

function refused(path: string, code: Code): PbkfsError {
  let caught: unknown;
  try {
    new SqliteStore(path).close();
  } catch (error) {
    caught = error;
  }
  assert(caught instanceof PbkfsError, `${code} was expected, not ${caught}`);
  assert.equal(caught.code, code);
  assert(caught.message.includes(path), caught.message);
  assert.notEqual(caught.todo, "");
  return caught;
}

Deno.test("a store of a newer pbkfs is refused, and not touched [FR-404]", async () => {
  await inTempDir((path) => {
    new SqliteStore(path).close();
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    database.close();
    const before = Deno.readFileSync(path);
    assert.match(refused(path, "DiffVersion").message, new RegExp(`${SCHEMA_VERSION + 1}`));
    assert.deepEqual(Deno.readFileSync(path), before);
  });
});

Deno.test("a SQLite file of another program is refused, and not touched [FR-404]", async () => {
  await inTempDir((path) => {
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE theirs (a); PRAGMA application_id = 77");
    database.close();
    const before = Deno.readFileSync(path);
    assert.match(refused(path, "DiffForeign").message, /77/);
    assert.deepEqual(Deno.readFileSync(path), before);
  });
});

Deno.test("a SQLite file with tables that nobody signed is refused [FR-404]", async () => {
  await inTempDir((path) => {
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE theirs (a)");
    database.close();
    refused(path, "DiffForeign");
  });
});

Deno.test("a file that is no SQLite file is refused as damaged [FR-404]", async () => {
  await inTempDir((path) => {
    Deno.writeTextFileSync(path, "this is not a database, and long enough to tell".repeat(20));
    refused(path, "DiffDamaged");
  });
});

Deno.test("a store whose pages are damaged is refused as damaged [FR-404]", async () => {
  await inTempDir((path) => {
    const store = new SqliteStore(path);
    const names = Array.from({ length: 2000 }, (_, n) => ({
      parent: 1 as Ino,
      name: `a name that takes some room ${n}` as never,
      to: (n + 2) as Ino,
    }));
    const nextNumbers = { nextIno: 1, nextDataId: 1 };
    const none = { inodes: [], contents: [], pages: [], extendedAttributes: [], removed: [] };
    store.commit([{ ...none, names, nextNumbers }]);
    store.close();
    const bytes = Deno.readFileSync(path);
    bytes.fill(0xee, 4096 * 3);
    Deno.writeFileSync(path, bytes);
    assert.throws(() => new SqliteStore(path).load(), { code: "DiffDamaged" });
  });
});

Deno.test("a store that was begun and never finished is made anew [FR-404]", async () => {
  await inTempDir((path) => {
    Deno.writeFileSync(path, new Uint8Array());
    const store = new SqliteStore(path);
    assert.equal(store.load().nextNumbers, undefined);
    store.close();
  });
});

Deno.test("a store that another process has open is in use [FR-404]", async () => {
  await inTempDir((path) => {
    const store = new SqliteStore(path, { busyTimeoutMs: 10 });
    store.commit([]);
    try {
      assert.throws(() => new SqliteStore(path, { busyTimeoutMs: 10 }), { code: "DiffInUse" });
    } finally {
      store.close();
    }
  });
});

Deno.test("a full disk is ENOSPC, leaves the store as it was, and it goes on [FR-405]", async () => {
  await inTempDir((path) => {
    const none = { inodes: [], names: [], contents: [], extendedAttributes: [], removed: [] };
    const nextNumbers = { nextIno: 1, nextDataId: 1 };
    const pages = Array.from({ length: 4000 }, (_, part) => ({
      ino: 2 as Ino,
      part,
      bits: new Uint8Array(512).fill(1),
    }));
    const small = new SqliteStore(path, { pagesMax: 60 });
    small.commit([{ ...none, pages: pages.slice(0, 1), nextNumbers }]);
    assert.throws(() => small.commit([{ ...none, pages, nextNumbers }]), { errno: ERRNO.ENOSPC });
    assert.equal(small.load().pages.length, 1);
    small.commit([{ ...none, pages: pages.slice(0, 2), nextNumbers }]);
    small.close();
    const store = new SqliteStore(path);
    assert.equal(store.load().pages.length, 2);
    store.commit([{ ...none, pages, nextNumbers }]);
    assert.equal(store.load().pages.length, 4000);
    store.close();
  });
});

Deno.test("a store of the first version is read; when its files were made is not known [FR-474]", () => {
  const dirPath = Deno.makeTempDirSync();
  try {
    const path = `${dirPath}/metadata.sqlite`;
    new SqliteStore(path).close();
    const database = new DatabaseSync(path);
    database.exec("ALTER TABLE inode DROP COLUMN born_s; ALTER TABLE inode DROP COLUMN born_ns");
    database.exec("ALTER TABLE content DROP COLUMN length_bytes; DROP TABLE deleted_data");
    database.exec("INSERT INTO inode VALUES (7,33188,1,2,1,0,1,2,3,4,5,6,NULL)");
    database.exec("PRAGMA user_version = 1");
    database.close();
    const store = new SqliteStore(path);
    const [inode] = store.load().inodes;
    assert.deepEqual([inode?.ino, inode?.changed, inode?.born], [
      7,
      { seconds: 5, nanoseconds: 6 },
      undefined,
    ]);
    const born = { seconds: -1, nanoseconds: 999_999_999 };
    const nextNumbers = { nextIno: 8, nextDataId: 1 };
    const none = { names: [], contents: [], pages: [], extendedAttributes: [], removed: [] };
    store.commit([{ ...none, inodes: [{ ...inode!, born }], nextNumbers }]);
    assert.deepEqual(store.load().inodes[0]?.born, born);
    store.close();
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});

Deno.test("a store of an earlier version is inspected as it is, and goes on being counted [FR-878]", async () => {
  await inTempDir(async (path) => {
    new SqliteStore(path).close();
    const database = new DatabaseSync(path);
    database.exec("ALTER TABLE inode DROP COLUMN born_s; ALTER TABLE inode DROP COLUMN born_ns");
    database.exec("ALTER TABLE content DROP COLUMN length_bytes; DROP TABLE deleted_data");
    database.exec("DELETE FROM counter; PRAGMA user_version = 1");
    database.exec("INSERT INTO content VALUES (7, 'whole', 3, 0, 0)");
    database.close();
    Deno.removeSync(`${path}.generation`);
    const { state, damages } = await inspectStore(path, undefined);
    assert.deepEqual(damages, []);
    assert.equal(state?.contentCount, 1);
    assert.deepEqual([state?.facts.keepsLengths, state?.facts.generation], [false, 0]);
    const store = new SqliteStore(path);
    assert.deepEqual([store.load().keepsLengths, store.generation], [false, 1]);
    store.close();
    assert.equal(readGeneration(`${path}.generation`), 1);
  });
});

Deno.test("of a store with rows that cannot be, the others are inspected [FR-873]", async () => {
  await inTempDir(async (path) => {
    new SqliteStore(path).close();
    const database = new DatabaseSync(path);
    database.exec("INSERT INTO content VALUES (7, 'whole', 3, 0, 0, 5), (8, 'odd', 4, 0, 0, 5)");
    database.exec("INSERT INTO content VALUES (9, 'whole', 5, 0, 0, -1)");
    database.close();
    const { state, damages } = await inspectStore(path, 1);
    assert.deepEqual([...(state?.contents ?? [])].map(({ ino }) => ino), [7]);
    assert.match(damages.join(), /"content" has a row that cannot be/);
  });
});
