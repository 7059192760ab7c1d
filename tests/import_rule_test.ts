import assert from "node:assert/strict";
import config from "../deno.json" with { type: "json" };
import { DIFF_NAMES } from "../binding/mod.ts";
import { folderOf, importsOf, type Source, sources } from "./support/imports.ts";

/**
 * The arrows. Who may import a folder may also import what lies behind it: `overlay/` hands on
 * types of `ffi/` that it got from `fuse/`.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  cli: ["operate"],
  operate: ["daemon"],
  daemon: ["observe", "overlay", "binding", "postgres", "fuse", "backup", "threads"],
  observe: ["overlay", "fuse"],
  overlay: ["fuse", "backup", "binding", "threads"],
  binding: ["ffi"],
  backup: ["ffi", "postgres"],
  fuse: ["ffi", "threads"],
  ffi: [],
  postgres: [],
  threads: [],
};

/**
 * The same inside `backup/`: what any kind of backup needs, and the floors of pg_probackup's, each
 * of which sees those below it. What lies in `backup/` itself sees them all. And the rooms of
 * `overlay/`.
 */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  "backup": ["backup/pg_probackup", "backup/directory"],
  "backup/directory": ["backup/tree"],
  "backup/pg_probackup": [
    ...["backup/pg_probackup/wal", "backup/pg_probackup/pages", "backup/pg_probackup/locks"],
  ],
  "backup/pg_probackup/locks": ["backup/pg_probackup/catalog"],
  "backup/pg_probackup/wal": ["backup/pg_probackup/catalog"],
  "backup/pg_probackup/pages": ["backup/pg_probackup/lists"],
  "backup/pg_probackup/lists": ["backup/pg_probackup/catalog"],
  "backup/pg_probackup/catalog": ["backup/tree"],
  "backup/tree": [],
  "overlay": ["overlay/space", "overlay/check"],
  "overlay/space": ["overlay/commit"],
  "overlay/commit": ["overlay/names", "overlay/shared"],
  "overlay/check": ["overlay/names"],
  "overlay/names": ["overlay/content"],
  "overlay/content": ["overlay/data", "overlay/read"],
  "overlay/data": ["overlay/store"],
  "overlay/read": ["overlay/shared"],
  "overlay/store": [],
  "overlay/shared": [],
};

/** These look at everything, or install it, and nobody looks at them. */
const OUTSIDERS = ["testing", "tests", "bench", "contrib"];

const isTest = (path: string) => path.endsWith("_test.ts");
const files = sources();
const inside = files.filter(({ path }) => !OUTSIDERS.includes(folderOf(path)) && !isTest(path));

/** Each import of one of our own files, by one of `from`. */
function ownImports(from: readonly Source[]): { path: string; target: string }[] {
  const known = new Set(files.map(({ path }) => path));
  return from.flatMap(({ path, imports }) =>
    imports.filter((target) => known.has(target)).map((target) => ({ path, target }))
  );
}

/** What may be imported from a folder, by arrows drawn for it and for those that it may import. */
function behind(folder: string, arrows = ARROWS): Set<string> {
  const found = new Set<string>();
  const add = (next: string): void => {
    for (const name of arrows[next] ?? []) {
      found.add(name);
      add(name);
    }
  };
  add(folder);
  return found;
}

Deno.test("imports between folders point one way, as style and architecture draw them [FR-301]", () => {
  const wrong = ownImports(inside).filter(({ path, target }) => {
    const [from, to] = [folderOf(path), folderOf(target)];
    if (from === to || target === "errors.ts") return false;
    // Not an import: the daemon is the program itself, started once more.
    if (path === "daemon/own_command.ts" && target === "cli.ts") return false;
    if (from === "") return path === "cli.ts" ? to !== "cli" : OUTSIDERS.includes(to);
    return !behind(from).has(to);
  });
  assert.deepEqual(wrong, []);
});

Deno.test("every folder with code is in the picture [FR-301]", () => {
  const folders = new Set(inside.map(({ path }) => folderOf(path)).filter((name) => name !== ""));
  for (const folder of folders) assert(folder in ARROWS, `${folder}/ is not in the picture`);
});

for (
  const [folder, what] of [
    ["backup", "has floors: any kind of backup below, each kind with its own above"],
    ["overlay", "has rooms: names, content, the store, and who commits"],
  ]
) {
  Deno.test(`${folder}/ ${what} [FR-980]`, () => {
    const own = inside.filter(({ path }) => folderOf(path) === folder);
    for (const { path } of own) assert(dirOf(path) in FLOORS, `${dirOf(path)}/ is not drawn`);
    const wrong = ownImports(own).filter(({ path, target }) => {
      const [from, to] = [dirOf(path), dirOf(target)];
      return folderOf(target) === folder && from !== to && !behind(from, FLOORS).has(to);
    });
    assert.deepEqual(wrong, []);
  });
}

Deno.test("one list says which kinds of backups there are, and one file which is asked for [FR-980]", () => {
  const importers = ownImports(inside)
    .filter(({ target }) => /^backup\/\w+\/source\.ts$/.test(target) && !target.includes("/tree/"));
  const kinds = new Set(importers.map(({ target }) => target));
  assert.deepEqual(new Set(importers.map(({ path }) => path)), new Set(["backup/sources.ts"]));
  const ofKinds = inside.filter(({ path }) =>
    path.startsWith("backup/") && path.endsWith("/source.ts") && !path.includes("/tree/")
  );
  assert.deepEqual(kinds, new Set(ofKinds.map(({ path }) => path)));
  const namers = inside.filter(({ path, text }) =>
    folderOf(path) !== "backup" &&
    /\b(PG_PROBACKUP|DIRECTORY)\b[^;]*from "\.\.\/backup\//.test(text)
  );
  assert.deepEqual(namers.map(({ path }) => path), ["operate/find_backup.ts"]);
});

Deno.test("no file imports itself by way of others [FR-980]", () => {
  // A worker is started by its address, and imports nothing of who starts it but types.
  const imported = new Map(inside.map(({ path, text }) => [
    path,
    importsOf(path, text.replace(/new URL\([^)]*\)/g, "")),
  ]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) cycles.push([...way.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const next of imported.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of imported.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});

Deno.test("from outside a folder only its mod.ts is imported, or a file of ffi/ [FR-301]", () => {
  const wrong = ownImports(inside).filter(({ path, target }) => {
    const to = folderOf(target);
    if (folderOf(path) === to || to === "" || to === "ffi") return false;
    const isStart = path === "cli.ts" && to === "cli";
    // A fact that read workers need, without all that runs servers.
    if (target === "postgres/block_size.ts") return false;
    return target !== `${to}/mod.ts` && !isStart;
  });
  assert.deepEqual(wrong, []);
});

Deno.test("a file named _like_this.ts stays inside its folder [FR-301]", () => {
  const wrong = ownImports(files).filter(({ path, target }) => {
    const name = target.slice(target.lastIndexOf("/") + 1);
    return name.startsWith("_") && !`${dirOf(path)}/`.startsWith(`${dirOf(target)}/`);
  });
  assert.deepEqual(wrong, []);
});

Deno.test("only ffi/ opens libraries and looks behind addresses [FR-301]", () => {
  const wrong = files.filter(({ path, text }) =>
    folderOf(path) !== "ffi" && !isTest(path) &&
    codeOf(text).some((line) => /\bDeno\.(dlopen|Unsafe(Pointer|Callback|FnPointer))/.test(line))
  );
  assert.deepEqual(wrong.map(({ path }) => path), []);
});

Deno.test("only threads/ starts threads, and serves who has started one [FR-1004]", () => {
  const wrong = inside.filter(({ path, text }) =>
    folderOf(path) !== "threads" &&
    codeOf(text).some((line) => /\bnew Worker\(|\bself as\b|\bglobalThis as\b/.test(line))
  );
  assert.deepEqual(wrong.map(({ path }) => path), []);
});

Deno.test("cli/ asks operate/ for what a command does, and nobody below [FR-1010]", () => {
  const allowed = ["cli", "operate", "observe", ""];
  const wrong = ownImports(inside).filter(({ path, target }) =>
    folderOf(path) === "cli" && !allowed.includes(folderOf(target)) &&
    // The daemon is the program itself, which has to find that out from its arguments.
    !(path === "cli/main.ts" && target === "daemon/mod.ts")
  );
  assert.deepEqual(wrong, []);
});

Deno.test("operate/, and what lies below, knows no terminal [FR-1010]", () => {
  const terminal =
    /\bconsole\.|\bDeno\.(stdin|stdout|exit|exitCode|consoleSize|isatty)\b|\bisTerminal\b|\bstyleText\b|\bprompt\(|\bconfirm\(|"commander"|node:(tty|util|readline)\b/;
  const folders = ["operate", "observe", "overlay", "backup", "binding", "postgres", "fuse"];
  const wrong = inside.flatMap(({ path, text }) =>
    folders.includes(folderOf(path)) && !/\/_/.test(path)
      ? codeOf(text).filter((line) => terminal.test(line)).map((line) => [path, line.trim()])
      : []
  );
  assert.deepEqual(wrong, []);
});

Deno.test("backup/ has one way to open what lies in a store [FR-845]", () => {
  // The catalog is found by the path that the user gives; copies are written elsewhere; lock files
  // are written, by rules of their own; who runs a program looks for its processes.
  const others = [
    "tree/store_directory.ts",
    "tree/wal_copy.ts",
    "pg_probackup/catalog/bounded_program.ts",
    "pg_probackup/locks/lock_files.ts",
    "directory/running_server.ts",
  ].map((name) => `backup/${name}`);
  const opening =
    /\bDeno\.(open|read(File|TextFile|Dir|Link)|l?stat)(Sync)?\(|\blibc\.open|node:fs/;
  const found = inside.flatMap(({ path, text }) => {
    const isOurs = folderOf(path) === "backup" && !others.includes(path);
    return isOurs
      ? codeOf(text).filter((line) => opening.test(line)).map((line) => [path, line])
      : [];
  });
  const isGiven = ([path, line = ""]: string[]) =>
    path === "backup/pg_probackup/catalog/control_catalog.ts" &&
    line.includes("Deno.stat(`${catalogPath}/backups`)");
  assert.deepEqual(found.filter((one) => !isGiven(one)), []);
});

Deno.test("what is in a diff is named in one file, and nowhere else in the product [FR-1002]", () => {
  const { data, reserve, wal, ...distinct } = DIFF_NAMES;
  const quoted = (names: readonly string[]) => names.map((name) => RegExp.escape(name)).join("|");
  const literal = new RegExp([
    quoted(Object.values(distinct)),
    // These are words as well: only at the end of a path are they names.
    `\\}/(${quoted([data, reserve, wal])})(?![\\w-])`,
    `"${quoted([reserve])}"`,
    ...["-wal", "-shm", ".generation"].flatMap((
      end,
    ) => [`\\}${quoted([end])}[\`"\\\\]`, `"${quoted([end])}"`]),
  ].join("|"));
  const found = inside.flatMap(({ path, text }) => {
    // What tests are made with is none of the product; backup/ knows of no diff, but of a catalog's WAL.
    if (path === "binding/layout.ts" || /\/_/.test(path) || folderOf(path) === "backup") return [];
    return codeOf(text).filter((line) => literal.test(line)).map((line) => `${path}: ${line}`);
  });
  assert.deepEqual(found, []);
  assert(
    literal.test("`${path}/wal`") && literal.test('`${path}-wal" is`') && literal.test('"reserve"'),
  );
});

Deno.test("PostgreSQL's block size is a number in one file [FR-1003]", () => {
  const others: Readonly<Record<string, string>> = {
    "fuse/reply.ts": "a hint for programs, of a file system that knows nothing of PostgreSQL",
    "observe/metrics.ts": "the longest head of a request by HTTP",
    "daemon/space_plan.ts": "files, not bytes",
    "ffi/fuse_layout.ts": "a flag",
  };
  const found = inside.filter(({ path, text }) =>
    !/\/_/.test(path) && codeOf(text).some((line) => /\b8192\b|\b8 \* 1024\b|1 << 13\b/.test(line))
  ).map(({ path }) => path);
  const expected = ["postgres/block_size.ts", ...Object.keys(others)];
  assert.deepEqual(found.toSorted(), expected.toSorted());
});

Deno.test("nothing of the product puts faults into itself, or lets anybody ask for them [FR-1020]", () => {
  // Where these are defined, and where rigs call them.
  const asking = /\binterceptLibc\(|\bstartAgainAs\(|PBKFS_FAULTS|\btesting\//;
  const defined = /^export function (interceptLibc|startAgainAs)\(/;
  const found = inside.flatMap(({ path, text }) =>
    codeOf(text).filter((line) => asking.test(line) && !defined.test(line)).map((line) =>
      `${path}: ${line}`
    )
  );
  assert.deepEqual(found, []);
  const rigs = files.filter(({ path }) => folderOf(path) === "testing");
  assert(rigs.some(({ text }) => text.includes("interceptLibc(")), "a rig does");
});

Deno.test("rigs lie with rigs: the product imports nothing that only tests have a use for [FR-1020]", () => {
  const forTests = ["node:assert", "node:assert/strict", "fast-check"];
  const found = inside.filter(({ imports }) => imports.some((name) => forTests.includes(name)));
  assert.deepEqual(found.map(({ path }) => path), []);
});

Deno.test("what is not ours comes from deno.json or from node: [FR-301]", () => {
  const declared = Object.keys(config.imports);
  const wrong = inside.flatMap(({ path, imports }) =>
    imports.filter((name) =>
      !files.some((file) => file.path === name) && !name.startsWith("node:") &&
      name !== "deno.json" && !declared.some((own) => name === own || name.startsWith(`${own}/`))
    ).map((name) => `${path} imports ${name}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("importsOf finds every way to import", () => {
  const text = [
    'import a from "../errors.ts";',
    "import {",
    "  b,",
    '} from "./x/b.ts";',
    'export type { C } from "./c.ts";',
    'import "node:fs";',
    'const d = await import("./d.ts");',
    'new Worker(new URL("./worker.ts", import.meta.url));',
    ' * import e from "./comment.ts";',
  ].join("\n");
  assert.deepEqual(importsOf("cli/main.ts", text).sort(), [
    "cli/c.ts",
    "cli/d.ts",
    "cli/worker.ts",
    "cli/x/b.ts",
    "errors.ts",
    "node:fs",
  ]);
});

function dirOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** The lines that are not comments. */
function codeOf(text: string): string[] {
  return text.split("\n").filter((line) => !/^\s*(\/\/|\/?\*)/.test(line));
}
