/** What a metadata store may not hold, whoever wrote it: each in a store that is otherwise sound. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Ino, ROOT_INO } from "../../fuse/mod.ts";
import { FakeBase } from "../../testing/overlay/fake_base.ts";
import { BASE } from "../../testing/overlay/steps.ts";
import { World } from "../../testing/overlay/world.ts";
import { baseFiles } from "../content/base_files.ts";
import { timestamp } from "../names/inode.ts";
import { InodeTable } from "../names/inode_table.ts";
import { SqliteStore } from "./sqlite_store.ts";
import { StoredState } from "./stored_state.ts";

/** A store with two directories, one in the other, two files in there, and a page of a base's file. */
function writeStore(path: string, dirPath: string): void {
  const world = new World({ base: BASE, store: new SqliteStore(path), dirPath });
  const node = { mode: 0o100600, rdev: 0, caller: { uid: 0, gid: 0 } };
  const place = (parent: Ino, name: string) => ({ parent, name: name as ByteString });
  const { ino: one } = world.overlay.makeDirectory(place(ROOT_INO, "one"), node);
  const { ino: two } = world.overlay.makeDirectory(place(one, "two"), node);
  const { ino: file } = world.overlay.makeNode(place(two, "file"), node);
  world.overlay.makeNode(place(two, "other"), node);
  // As far away as somebody can ask for.
  for (const seconds of [2 ** 63, -(2 ** 63)]) {
    const accessed = { seconds, nanoseconds: 5 };
    world.overlay.setAttributes(file, { accessed, modified: accessed });
    assert.equal(Math.abs(world.overlay.getAttributes(file).accessed.seconds), 2 ** 40);
  }
  const value = new Uint8Array(3);
  world.overlay.setExtendedAttribute(file, { name: "user.a" as ByteString, value }, 0);
  world.withNode("d/data", ({ ino }) => world.overlay.setAttributes(ino, { sizeBytes: 100 }));
  world.withNode(
    "d/odd",
    ({ ino }) => world.overlay.allocate(ino, 16, { offsetBytes: 0, sizeBytes: 9 }),
  );
  world.overlay.flush();
  world.close();
}

/** What a mount does with a store. */
function open(path: string): void {
  const store = new SqliteStore(path);
  try {
    const base = new FakeBase(BASE);
    new InodeTable({
      base,
      baseFile: baseFiles(base),
      content: {
        libc: undefined as never,
        reads: undefined as never,
        data: undefined as never,
        newDataId: () => 0 as never,
        keepsLengths: true,
      },
      owner: { uid: 0, gid: 0, rootMode: 0o700, time: timestamp(0) },
      state: new StoredState(store.loadPacked()),
    });
  } finally {
    store.close();
  }
}

function inTempDir(body: (dirPath: string) => void): void {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    body(dirPath);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
}

const ONE = "(SELECT ino FROM name WHERE name = x'6f6e65')";
const TWO = "(SELECT ino FROM name WHERE name = x'74776f')";
const HUGE = "9223372036854775807";

const SPOILS: Readonly<Record<string, string>> = {
  "sizes beyond 2^53": `UPDATE content SET size_bytes = ${HUGE}`,
  "a negative size": "UPDATE content SET size_bytes = -1",
  "a base limit beyond all files": `UPDATE content SET base_limit_bytes = ${HUGE}`,
  "a form that there is not": "UPDATE content SET form = 'folded'",
  "a negative data file": "UPDATE content SET data_id = -data_id",
  "two files with one data file": "UPDATE content SET data_id = 1",
  "bytes of a directory": `UPDATE content SET ino = ${ONE} WHERE form = 'whole' AND ino IN
    (SELECT min(ino) FROM content WHERE form = 'whole')`,
  "inodes beyond 2^53": `UPDATE inode SET ino = ${HUGE} WHERE ino = ${TWO}`,
  "a negative inode": `UPDATE name SET ino = -5 WHERE ino = ${TWO}`,
  "an inode that is not recorded": `UPDATE name SET ino = 4000000 WHERE ino = ${TWO}`,
  "negative links": "UPDATE inode SET links = -1",
  "a mode of no type": "UPDATE inode SET mode = 0",
  "times beyond 2^53": `UPDATE inode SET accessed_s = ${HUGE}`,
  "the least time": "UPDATE inode SET accessed_s = -9223372036854775807 - 1",
  "a directory that is a file in the backup": "UPDATE inode SET mode = 16832",
  "a target of a megabyte": "UPDATE inode SET target = zeroblob(1000000)",
  "a name with a slash": "UPDATE name SET name = CAST('../../x' AS BLOB) WHERE name = x'6f6e65'",
  "a name of two dots": "UPDATE name SET name = x'2e2e' WHERE name = x'6f6e65'",
  "a name with a zero byte": "UPDATE name SET name = x'610062' WHERE name = x'6f6e65'",
  "an empty name": "UPDATE name SET name = x'' WHERE name = x'6f6e65'",
  "a name of 256 bytes": "UPDATE name SET name = zeroblob(256) WHERE name = x'6f6e65'",
  "a directory in itself": `UPDATE name SET parent = ${TWO} WHERE name = x'6f6e65'`,
  "a directory with two names": `INSERT INTO name VALUES (1, x'7a', ${TWO})`,
  "a page map part of megabytes": "UPDATE page_map SET bits = zeroblob(9000000)",
  "a part of a page map far away": `UPDATE page_map SET part = ${HUGE}`,
  "an attribute of nothing": "UPDATE extended_attribute SET ino = 4000000",
  "an attribute that is too long": "UPDATE extended_attribute SET value = zeroblob(65537)",
  "counters beyond 2^53": `UPDATE counter SET value = ${HUGE}`,
  "counters that begin anew": "UPDATE counter SET value = 1",
  "no counters": "DELETE FROM counter",
  "half of the counters": "DELETE FROM counter WHERE name = 'next_ino'",
  "a view that has no end": `ALTER TABLE name RENAME TO other; CREATE VIEW name (parent, name, ino)
    AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1, x'61', i FROM n`,
  "a trigger": "CREATE TRIGGER t AFTER INSERT ON name BEGIN DELETE FROM name; END",
  "a column that is computed": `ALTER TABLE counter ADD COLUMN c INTEGER AS (length(zeroblob(9)))`,
  "a table less": "DROP TABLE page_map",
};

Deno.test("a metadata store with values that cannot be is refused as damaged, not believed [FR-886]", () => {
  inTempDir((dirPath) => {
    const good = `${dirPath}/good.sqlite`;
    writeStore(good, dirPath);
    open(good);
    for (const [what, sql] of Object.entries(SPOILS)) {
      const path = `${dirPath}/spoilt.sqlite`;
      Deno.copyFileSync(good, path);
      const database = new DatabaseSync(path);
      database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${sql}`);
      database.close();
      assert.throws(() => open(path), (error) => {
        assert(error instanceof PbkfsError, `${what}: ${error}`);
        assert.equal(error.code, "DiffDamaged", `${what}: ${error.message}`);
        return true;
      }, what);
    }
  });
});
