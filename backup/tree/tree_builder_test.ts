import assert from "node:assert/strict";
import fc from "fast-check";
import type { ByteString } from "../../ffi/bytes.ts";
import type { EntryIndex } from "./base_tree.ts";
import { PathTable } from "../pg_probackup/lists/path_table.ts";
import { TreeBuilder } from "./tree_builder.ts";
import { TYPE } from "../../ffi/file_type.ts";
import type { TreeEntries } from "./tree_entries.ts";

const FILE = TYPE.file | 0o600;
const slashes = (path: string) => path.lastIndexOf("/");
const parentOf = (path: string) => path.slice(0, Math.max(0, slashes(path)));
const builder = () => new TreeBuilder(new PathTable().list());

function namesIn(tree: TreeEntries, directory: EntryIndex | undefined): string[] {
  const names = tree.names(directory);
  return Array.from({ length: names.count }, (_, at) => {
    assert.equal(names.find(names.name(at)), at);
    assert.equal(tree.parent(names.entry(at)), directory);
    return names.name(at);
  });
}

Deno.test("each directory has its names, each entry its directory, whatever the names [FR-150]", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "-", "0"), minLength: 1, maxLength: 3 });
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  fc.assert(fc.property(fc.uniqueArray(path, { maxLength: 60, size: "max" }), (paths) => {
    const directories = new Set(paths.map(parentOf));
    for (const path of directories) if (path !== "") directories.add(parentOf(path));
    directories.delete("");
    const files = paths.filter((path) => !directories.has(path));
    const all = [...files, ...directories].sort();
    const tree = builder();
    for (const path of files) tree.add(path, { mode: FILE });
    const built = tree.build();
    assert.deepEqual(all.map((_, index) => built.path(index as EntryIndex) as string), all);
    const inside = (directory: string) =>
      all.filter((path) => parentOf(path) === directory).map((path) =>
        path.slice(slashes(path) + 1)
      );
    assert.deepEqual(namesIn(built, undefined), inside(""));
    all.forEach((path, index) => {
      assert.equal(built.find(path as ByteString), index);
      assert.deepEqual(namesIn(built, index as EntryIndex), inside(path));
      assert.equal(built.entry(index as EntryIndex).kind === "file", !directories.has(path));
    });
    assert.equal(built.find("a/missing" as ByteString), undefined);
    assert.equal(built.names(undefined).find("missing" as ByteString), undefined);
  }));
});

Deno.test("a directory may be named twice, a file may not, and holds nothing [FR-150]", () => {
  const twice = builder();
  twice.addDirectory("d", 0o750);
  twice.addDirectory("d", 0o700);
  const tree = twice.build();
  assert.equal(tree.count, 1);
  assert.equal(tree.mode(0 as EntryIndex), TYPE.directory | 0o750);
  for (const paths of [["f", "f"], ["f", "f/g"], ["f", "f-g", "f/g/h"]]) {
    const bad = builder();
    for (const path of paths) bad.add(path, { mode: FILE });
    assert.throws(() => bad.build(), { code: "StoreDamaged", message: /"f"/ });
  }
});
