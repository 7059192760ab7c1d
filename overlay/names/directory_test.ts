import assert from "node:assert/strict";
import fc from "fast-check";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Ino } from "../../fuse/mod.ts";
import { Directory, type DirectoryEntry, type FirstNames } from "./directory.ts";

const name = (n: number) => `file ${n}` as ByteString;
const filled = (count: number): Directory => {
  const directory = new Directory(1 as Ino);
  for (let n = 0; n < count; n++) directory.set(name(n), (n + 2) as Ino);
  return directory;
};

/** Lists in portions, as the kernel does, and calls `between` after each. */
function list(directory: Directory, portion: number, between: (seen: number) => void): string[] {
  const seen: string[] = [];
  for (let cookie = 0;;) {
    const entries: DirectoryEntry[] = [];
    for (const entry of directory.after(cookie)) {
      entries.push(entry);
      if (entries.length === portion) break;
    }
    if (entries.length === 0) return seen;
    seen.push(...entries.map((entry) => entry.name));
    cookie = (entries.at(-1) as DirectoryEntry).cookie;
    between(seen.length);
  }
}

Deno.test("a listing has every name once, in the order in which they came [FR-403]", () => {
  const directory = filled(500);
  const names = list(directory, 7, () => {});
  assert.deepEqual(names, Array.from({ length: 500 }, (_, n) => name(n)));
});

Deno.test("what stays is listed once, whatever comes and goes meanwhile [FR-403]", () => {
  const directory = filled(2000);
  let next = 2000;
  // Every second name goes, and as many come, so that the directory is compacted on the way.
  const names = list(directory, 50, (seen) => {
    for (let n = 1; n < 40; n += 2) directory.delete(name(seen - 40 + n));
    for (let n = 0; n < 20 && next < 4000; n++) directory.set(name(next++), next as Ino);
  });
  assert.equal(new Set(names).size, names.length, "no name twice");
  for (let n = 0; n < 2000; n += 2) assert(names.includes(name(n)), `${name(n)} was there`);
});

Deno.test("removing each name after it was listed empties the directory [FR-403]", () => {
  const directory = filled(1000);
  const names: string[] = [];
  for (let round = 0; directory.size > 0 && round < 1000; round++) {
    for (const entry of [...directory.after(0)].slice(0, 64)) {
      directory.delete(entry.name);
      names.push(entry.name);
    }
  }
  assert.equal(new Set(names).size, 1000);
});

Deno.test("a name that is set again has its new inode, and is listed once [FR-403]", () => {
  const directory = filled(3);
  directory.set(name(1), 99 as Ino);
  assert.equal(directory.get(name(1)), 99);
  assert.equal(directory.size, 3);
  assert.deepEqual([...directory.after(0)].map((e) => e.ino), [2, 4, 99]);
});

/** `count` names that a directory has from the beginning. */
function first(count: number): FirstNames {
  return {
    count,
    unlisted: undefined,
    name,
    ino: (at) => (1000 + at) as Ino,
    find(wanted) {
      const at = Array.from({ length: count }, (_, n) => name(n)).indexOf(wanted);
      return at < 0 ? undefined : at;
    },
  };
}

Deno.test("a directory agrees with a map, however often it is compacted [FR-403]", () => {
  const step = fc.record({ n: fc.nat(40), isSet: fc.boolean() });
  const sequences = fc.array(step, { maxLength: 400, size: "max" });
  fc.assert(fc.property(sequences, fc.nat(30), (steps, firstCount) => {
    const directory = new Directory(1 as Ino, first(firstCount));
    const model = new Map<string, number>();
    for (let n = 0; n < firstCount; n++) model.set(name(n), 1000 + n);
    steps.forEach(({ n, isSet }, index) => {
      if (isSet) directory.set(name(n), index as Ino);
      else directory.delete(name(n));
      if (isSet) model.set(name(n), index);
      else model.delete(name(n));
    });
    assert.equal(directory.size, model.size);
    for (let n = 0; n <= 40; n++) assert.equal(directory.get(name(n)), model.get(name(n)));
    const listed = [...directory.after(0)];
    assert.deepEqual(new Map(listed.map((e) => [e.name as string, e.ino as number])), model);
    const cookies = listed.map(({ cookie }) => cookie);
    assert.deepEqual(cookies, cookies.toSorted((a, b) => a - b));
  }));
});
