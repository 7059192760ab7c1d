import assert from "node:assert/strict";
import { parseConfigText } from "./config_text.ts";
import { type ConfigFiles, pathInside, readConfiguration } from "./configuration.ts";
import { PostgresServer } from "./server.ts";
import { makeCluster } from "../tests/support/cluster.ts";
import { CHAIN } from "../tests/support/samples.ts";
import { serverObstacle, testUnless } from "../tests/support/skip.ts";
import { giveTo, TempDir } from "../tests/support/temp_dir.ts";
import { isRoot, ordinaryUser } from "../tests/support/users.ts";

/** Files in memory; null is one that is not to be read. */
function filesOf(texts: Readonly<Record<string, string | null>>): ConfigFiles {
  return {
    read: (path) => {
      const text = texts[path];
      return text === undefined ? "none" : text === null ? "unreadable" : { text };
    },
    list: (path) => {
      const names = Object.keys(texts).filter((name) => name.startsWith(`${path}/`));
      return names.length === 0 ? undefined : names.map((name) => name.slice(path.length + 1));
    },
  };
}

const OPTIONS = { dataDirectory: "/mnt/clone" };

Deno.test("includes are followed, and of each setting the last line counts, wherever it is [FR-214]", () => {
  const { settings, files, wrong } = readConfiguration(
    filesOf({
      "postgresql.conf": [
        "a = 1",
        "INCLUDE 'one.conf'",
        "include_if_exists 'none.conf'",
        "include_dir = 'conf.d'",
        "include '/mnt/clone/conf.d/../last.conf'",
      ].join("\n"),
      "one.conf": "a = 2\nb = 1",
      "conf.d/20.conf": "c = 2",
      "conf.d/10.conf": "c = 1\ninclude 'deeper.txt'",
      "conf.d/deeper.txt": "d = 1",
      "conf.d/.hidden.conf": "c = 3",
      "last.conf": "b = 3",
      "postgresql.auto.conf": "d = 9",
    }),
    OPTIONS,
  );
  assert.deepEqual(Object.fromEntries(settings), {
    a: { value: "2", from: "one.conf:1" },
    b: { value: "3", from: "last.conf:1" },
    c: { value: "2", from: "conf.d/20.conf:1" },
    d: { value: "9", from: "postgresql.auto.conf:1" },
  });
  assert.deepEqual(wrong, []);
  assert.equal(files.length, 7);
});

Deno.test("what an include leads to outside, or cannot be read, is told and not followed [FR-214]", () => {
  const { unread, settings } = readConfiguration(
    filesOf({
      "postgresql.conf": "include '../x.conf'\ninclude '/etc/x.conf'\ninclude 'link'\n" +
        "include_dir '/etc/conf.d'\na = 1",
      "link": null,
    }),
    OPTIONS,
  );
  assert.deepEqual(unread, [
    { path: "../x.conf", from: "postgresql.conf:1" },
    { path: "/etc/x.conf", from: "postgresql.conf:2" },
    { path: "link", from: "postgresql.conf:3" },
    { path: "/etc/conf.d", from: "postgresql.conf:4" },
  ]);
  assert.equal(settings.get("a")?.value, "1");
});

Deno.test("files that include each other come to an end [FR-214]", () => {
  const twice = "include 'postgresql.conf'\ninclude 'postgresql.conf'\n";
  const { wrong, files } = readConfiguration(filesOf({ "postgresql.conf": twice }), OPTIONS);
  assert(wrong.length > 0);
  assert(files.length <= 200);
});

Deno.test("a path is inside a directory, or not, whatever dots and slashes it has [FR-214]", () => {
  assert.equal(pathInside("/mnt/clone//a/./b", "/mnt/clone/"), "a/b");
  assert.equal(pathInside("/mnt/clone", "/mnt/clone"), "");
  assert.equal(pathInside("/mnt/clone/a/../../x", "/mnt/clone"), undefined);
  assert.equal(pathInside("/mnt/clone2", "/mnt/clone"), undefined);
});

testUnless(
  serverObstacle(CHAIN.majorVersion),
  "a server reads the same lines of the same files [FR-213] [FR-214]",
  async () => {
    const user = ordinaryUser();
    await using dir = TempDir.make(user);
    const dataDir = `${dir.path}/data`;
    await makeCluster({ dirPath: dataDir, majorVersion: CHAIN.majorVersion, owner: user });
    const write = (name: string, text: string) =>
      Deno.writeTextFileSync(`${dataDir}/${name}`, text, { append: true });
    Deno.mkdirSync(`${dataDir}/conf.d`);
    write("conf.d/b.conf", "work_mem '5MB'\nx.y'a''b\\'c\\101\\n'\n");
    write("conf.d/a.conf", "WORK_MEM = 6MB # six\ninclude '../more.conf'\n");
    write("conf.d/.c.conf", "work_mem = 7MB\n");
    write(
      "more.conf",
      "\tseq_page_cost=+1.5e0\r\napplication_name an-unquoted.name:x/y\nx.z 0x10\n",
    );
    write(
      "postgresql.conf",
      "\nInclude_Dir 'conf.d'\ninclude_if_exists = no-thing.conf\ninclude_if_exists 'more.conf'\n",
    );
    write("postgresql.auto.conf", "work_mem = '8MB'\n");
    if (isRoot()) await giveTo(user, dataDir);
    await using server = await PostgresServer.start({ dataDir, user });
    const shown = await server.query(
      `select distinct on (lower(name)) name, encode(convert_to(setting, 'UTF8'), 'hex'),
        replace(sourcefile, '${dataDir}/', '') || ':' || sourceline
        from pg_file_settings order by lower(name), seqno desc`,
    );
    const ours = readConfiguration({
      read: (path) => {
        try {
          return { text: Deno.readTextFileSync(`${dataDir}/${path}`) };
        } catch {
          return "none";
        }
      },
      list: (path) => [...Deno.readDirSync(`${dataDir}/${path}`)].map(({ name }) => name),
    }, { dataDirectory: dataDir });
    const hex = (text: string) => new TextEncoder().encode(text).toHex();
    const lines = [...ours.settings].map(([name, { value, from }]) =>
      `${name}|${hex(value)}|${from}`
    );
    assert.deepEqual(lines.toSorted(), shown.toLowerCase().split("\n").toSorted());
    assert.deepEqual(ours.wrong, []);

    // What it refuses, it tells without a restart; of several lines, only the first.
    for (
      const line of ["a", "= 1", "a =", "a = 1 2", "a = 'open", "1a = 1", "a.b.c = 1", "a b.c"]
    ) {
      const text = `work_mem 1MB\n${line}\n`;
      Deno.writeTextFileSync(`${dataDir}/conf.d/z.conf`, text);
      const refused = await server.query(
        "select sourceline from pg_file_settings where error like 'syntax error%'",
      );
      assert.equal(parseConfigText(text).wrongLines.join(), refused, line);
    }
  },
);
