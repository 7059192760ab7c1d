import assert from "node:assert/strict";
import type { ByteString } from "../../../ffi/bytes.ts";
import { appendSettings } from "../../tree/setting_lines.ts";
import { rewriteAutoConf } from "./auto_conf.ts";
import { type HandFile, HandStore } from "../../../testing/backup/hand_store.ts";
import { externalDirectories, parseTablespaceMap } from "./tablespace_map.ts";
import { type Base, readFile } from "../../mod.ts";

const DIRECTORY = 0o40000;
const encoder = new TextEncoder();

function directory(path: string, mode = 0o700): HandFile {
  return { path, keys: { mode: DIRECTORY | mode } };
}

function list(base: Base): string[] {
  return base.entries.map(({ path, kind, mode, target }) =>
    `${kind} ${mode.toString(8)} ${path}${target === undefined ? "" : ` -> ${target}`}`
  );
}

const USUAL = ["directory 700 base", "directory 700 global", "file 644 global/pg_control"];
const CONF = "file 600 postgresql.auto.conf";

Deno.test("tablespaces of the map lie beside, in-place ones stay, and the maps are not shown [FR-150]", async () => {
  await using store = await HandStore.make();
  await store.add({
    files: [
      directory("pg_tblspc", 0o750),
      directory("pg_tblspc/16400"),
      directory("pg_tblspc/16400/PG_15"),
      { path: "pg_tblspc/16400/PG_15/f", stored: new Uint8Array(3) },
      directory("pg_tblspc/16401"),
      { path: "pg_tblspc/16401/f", stored: new Uint8Array(3) },
      { path: "tablespace_map", stored: encoder.encode("16400 /srv/ts one\n") },
      { path: "database_map", stored: encoder.encode("{}") },
    ],
  });
  const base = await store.open();
  assert.deepEqual(list(base), [
    ...USUAL,
    "directory 700 pbkfs_tablespaces",
    "directory 750 pbkfs_tablespaces/16400",
    "directory 700 pbkfs_tablespaces/16400/PG_15",
    "file 600 pbkfs_tablespaces/16400/PG_15/f",
    "directory 750 pg_tblspc",
    "symlink 777 pg_tblspc/16400 -> /mnt/clone/pbkfs_tablespaces/16400",
    "directory 700 pg_tblspc/16401",
    "file 600 pg_tblspc/16401/f",
    CONF,
  ]);
  assert.equal(base.unlisted, base.find("pbkfs_tablespaces" as ByteString));
  const read = (path: string) => readFile(base, path as ByteString).length;
  assert.equal(read("pbkfs_tablespaces/16400/PG_15/f"), 3);
  assert.equal(read("pg_tblspc/16401/f"), 3);
  const link = base.find("pg_tblspc/16400" as ByteString)!;
  assert.equal(base.sizeBytes(link), "/mnt/clone/pbkfs_tablespaces/16400".length);
  assert.deepEqual(base.planRead(link, { offsetBytes: 0, sizeBytes: 9 }), []);
  base.close();
});

Deno.test("external directories have their numbers by name, and are there when empty [FR-150]", async () => {
  await using store = await HandStore.make();
  const id = await store.add({
    control: { "external-dirs": "'/srv/b/:/srv//a'" },
    files: [{ path: "x/y", keys: { external_dir_num: 2, size: 4, mode: 0o100640 } }],
  });
  const stored = `${store.dirOf(id)}/external_directories/externaldir2/x`;
  await Deno.mkdir(stored, { recursive: true });
  await Deno.writeTextFile(`${stored}/y`, "four");
  const base = await store.open();
  assert.deepEqual(list(base), [
    USUAL[0],
    "directory 700 external_directories",
    "directory 700 external_directories/externaldir1",
    "directory 700 external_directories/externaldir2",
    "directory 700 external_directories/externaldir2/x",
    "file 640 external_directories/externaldir2/x/y",
    ...USUAL.slice(1),
    CONF,
  ]);
  const bytes = readFile(base, "external_directories/externaldir2/x/y" as ByteString);
  assert.equal(new TextDecoder().decode(bytes), "four");
  assert.deepEqual(externalDirectories(base.spec.members[0]!.externalDirs), ["/srv/a", "/srv/b"]);
  base.close();
});

Deno.test("special mode bits are those that a restore leaves: on what it wrote only sticky ones [FR-172]", async () => {
  await using store = await HandStore.make();
  const control = { "external-dirs": "/srv/x" };
  const modes = [0o1644, 0o2745, 0o2755, 0o4755, 0o6711, 0o7777];
  const listed = (size: number): HandFile[] =>
    modes.flatMap((mode) => {
      const [file, dir] = [0o100000 | mode, DIRECTORY | mode];
      const name = mode.toString(8);
      return [
        { path: `file${name}`, keys: { external_dir_num: 1, size, mode: file } },
        { path: `dir${name}`, keys: { external_dir_num: 1, mode: dir } },
      ];
    });
  const directories = ["1644", "745", "755", "755", "711", "1777"];
  const written = ["1644", "2745", "755", "755", "711", "1777"];
  const untouched = modes.map((mode) => mode.toString(8));
  const expect = async (kind: string, expected: readonly string[]) => {
    const base = await store.open();
    const found = base.entries.filter(({ path }) => path.split("/")[2]?.startsWith(kind));
    base.close();
    assert.deepEqual(found.map(({ mode }) => mode.toString(8)), expected, kind);
  };
  const full = await store.add({ control, files: listed(4) });
  await expect("dir", directories);
  await expect("file", written);
  // What has not changed since is written, too. What is empty is not.
  await store.add({ control, mode: "DELTA", parent: full, files: listed(-1) });
  await expect("file", written);
  const empty = await store.add({ control, files: listed(0) });
  await expect("dir", directories);
  await expect("file", untouched);
  await store.add({ control, mode: "DELTA", parent: empty, files: listed(-1) });
  await expect("file", untouched);
});

Deno.test("directories that are not listed are made, the root's mode is that of the first [FR-150]", async () => {
  await using store = await HandStore.make();
  await store.add({
    files: [directory("aa", 0o750), { path: "not/listed/f", stored: new Uint8Array(1) }],
  });
  const base = await store.open();
  assert.deepEqual(list(base), [
    "directory 750 aa",
    ...USUAL,
    "directory 700 not",
    "directory 700 not/listed",
    "file 600 not/listed/f",
    CONF,
  ]);
  assert.equal(base.rootMode, 0o750);
  base.close();
});

Deno.test("names are bytes: what is no UTF-8 can be found and read [FR-150]", async () => {
  await using store = await HandStore.make();
  const name = "base/back\\slash \u00e4\t";
  await store.add({ files: [{ path: name, stored: new Uint8Array(5) }] });
  const base = await store.open();
  const path = base.entries.find((entry) => entry.path.startsWith("base/"))!.path;
  assert.equal(path, "base/back\\slash \u00c3\u00a4\t", "UTF-8, a character a byte");
  assert.equal(readFile(base, path).length, 5);
  base.close();
});

Deno.test("auto.conf loses recovery settings, wherever the words stand [FR-151]", () => {
  const rewrite = (text: string, settings: string[] = []) =>
    new TextDecoder().decode(
      rewriteAutoConf(encoder.encode(text), { backupId: "QX1", restoredAt: 0, settings }),
    ).replace(/'1969.*'|'1970.*'/, "NOW");
  const header = "\n# recovery settings added by pg_probackup restore of backup QX1 at NOW\n";
  assert.equal(rewrite(""), header);
  assert.equal(
    rewrite(
      "a = 1\nrestore_command = 'x'\n# recovery_target\ninclude 'probackup_recovery.conf'\n" +
        "include 'other.conf'\nlast",
    ),
    `a = 1\ninclude 'other.conf'\nlast${header}`,
  );
  assert.equal(rewrite("", ["x = 'ä'"]), `${header}x = 'ä'\n`);
});

Deno.test("before PostgreSQL 12 auto.conf only gets our settings [FR-151]", async () => {
  const append = (text: string, settings: string[]) =>
    new TextDecoder().decode(appendSettings(encoder.encode(text), settings));
  assert.equal(append("restore_command = 1", []), "restore_command = 1");
  assert.equal(append("a = 1", ["b = 2"]), "a = 1\nb = 2\n");
  assert.equal(append("", ["b = 2"]), "b = 2\n");
  await using store = await HandStore.make();
  const stored = encoder.encode("restore_command = 'x'\n");
  await store.add({
    control: { "server-version": "9.6" },
    files: [{ path: "postgresql.auto.conf", stored }],
  });
  const base = await store.open();
  assert.deepEqual(readFile(base, "postgresql.auto.conf" as ByteString), stored);
  base.close();
});

Deno.test("a tablespace map has an oid and a path in each line [FR-151]", () => {
  const map = parseTablespaceMap(encoder.encode("1 /a b\nnonsense\n22 /c\r\n3 \n4 /d"));
  assert.deepEqual([...map], [["1", "/a b"], ["22", "/c"], ["4", "/d"]]);
});
