/** The disk that loses power keeps what a sync has promised, whatever it loses. */

import assert from "node:assert/strict";
import { Random } from "../random.ts";
import { Disk, DiskDirectory, type DiskNode, type LeftNode } from "./disk.ts";
import { DISK_PAGE_SIZE_BYTES, DiskFile } from "./disk_file.ts";

const OF = { mode: 0o600, uid: 0, gid: 0 };
const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);

function bytes(fill: number, sizeBytes = DISK_PAGE_SIZE_BYTES): Uint8Array {
  return new Uint8Array(sizeBytes).fill(fill);
}

function addFile(
  disk: Disk,
  directory: DiskNode,
  name: string,
): { node: DiskNode; file: DiskFile } {
  const file = new DiskFile();
  const node = disk.make({ kind: "file", file }, OF);
  disk.change([{ directory, name, node }]);
  return { node, file };
}

function addDirectory(disk: Disk, directory: DiskNode, name: string): DiskNode {
  const node = disk.make({ kind: "directory", directory: new DiskDirectory() }, OF);
  disk.change([{ directory, name, node }]);
  return node;
}

/** What is left of a file, as one string of bytes; undefined if its name is not there. */
function contentOf(root: LeftNode, path: string): Uint8Array | undefined {
  let at: LeftNode | undefined = root;
  for (const name of path.split("/")) at = at?.names?.get(name);
  const left = at?.bytes;
  if (left === undefined) return undefined;
  const content = new Uint8Array(left.sizeBytes);
  for (const [page, data] of left.pages) {
    const from = page * DISK_PAGE_SIZE_BYTES;
    if (from < content.length) content.set(data.subarray(0, content.length - from), from);
  }
  return content;
}

Deno.test("the disk of the power-cut tests keeps a synced file, its length and its path [FR-601]", () => {
  for (const seed of SEEDS) {
    const disk = new Disk();
    const directory = addDirectory(disk, disk.root, "d");
    const { node, file } = addFile(disk, directory, "f");
    file.write(100, bytes(1, 10_000));
    disk.sync(node);
    const content = contentOf(disk.cut(new Random(seed)), "d/f");
    assert.equal(content?.length, 10_100);
    assert(content.subarray(100).every((byte) => byte === 1));
  }
});

Deno.test("of what was not synced each page is old or new, and both happen [FR-601]", () => {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const disk = new Disk();
    const { node, file } = addFile(disk, disk.root, "f");
    file.write(0, bytes(1, 2 * DISK_PAGE_SIZE_BYTES));
    disk.sync(node);
    file.write(0, bytes(2, 2 * DISK_PAGE_SIZE_BYTES));
    const content = contentOf(disk.cut(new Random(seed)), "f") as Uint8Array;
    assert(content.every((byte) => byte === 1 || byte === 2));
    seen.add(`${content[0]}${content[DISK_PAGE_SIZE_BYTES]}`);
  }
  assert.deepEqual([...seen].sort(), ["11", "12", "21", "22"]);
});

Deno.test("what was cut off does not come back behind a cut that was kept [FR-601]", () => {
  for (const seed of SEEDS) {
    const disk = new Disk();
    const { node, file } = addFile(disk, disk.root, "f");
    file.write(0, bytes(1, 3 * DISK_PAGE_SIZE_BYTES));
    disk.sync(node);
    file.truncate(100);
    file.write(2 * DISK_PAGE_SIZE_BYTES, bytes(2));
    const content = contentOf(disk.cut(new Random(seed)), "f") as Uint8Array;
    const isCut = content[DISK_PAGE_SIZE_BYTES] !== 1;
    if (isCut) assert(content.subarray(100).every((byte) => byte !== 1), `seed ${seed}`);
    else assert(content.every((byte) => byte === 1), `seed ${seed}`);
  }
});

Deno.test("names of a directory become durable in order, a rename as one [FR-601]", () => {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const disk = new Disk();
    const [one, other] = [addDirectory(disk, disk.root, "a"), addDirectory(disk, disk.root, "b")];
    disk.sync(one);
    disk.sync(other);
    const { node } = addFile(disk, one, "first");
    disk.change([
      { directory: one, name: "first", node: undefined },
      { directory: other, name: "second", node },
    ]);
    addFile(disk, other, "third");
    const left = disk.cut(new Random(seed));
    const names = ["a/first", "b/second", "b/third"].filter((path) => contentOf(left, path));
    seen.add(names.join(" "));
  }
  assert.deepEqual([...seen].sort(), ["", "a/first", "b/second", "b/second b/third"]);
});

Deno.test("a synced directory keeps its names, a synced file the one it has now [FR-601]", () => {
  for (const seed of SEEDS) {
    const disk = new Disk();
    addFile(disk, disk.root, "f");
    disk.sync(disk.root);
    const { node } = addFile(disk, disk.root, "g.tmp");
    disk.change([
      { directory: disk.root, name: "g.tmp", node: undefined },
      { directory: disk.root, name: "g", node },
    ]);
    disk.sync(node);
    const left = disk.cut(new Random(seed));
    assert.deepEqual([...(left.names?.keys() ?? [])].sort(), ["f", "g"]);
  }
});
