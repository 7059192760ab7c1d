/**
 * What every metadata store promises.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ByteString } from "../ffi/bytes.ts";
import type { Ino } from "../fuse/mod.ts";
import {
  type DataId,
  type InodeRecord,
  type MetadataBatch,
  type MetadataStore,
  PAGE_MAP_PART_SIZE_BYTES,
} from "./metadata_store.ts";

/** Opens the store of one test; called again, what was committed to it is there. */
export type OpenStore = () => MetadataStore;

const EMPTY: MetadataBatch = {
  inodes: [],
  names: [],
  contents: [],
  pages: [],
  extendedAttributes: [],
  removed: [],
  counters: { nextIno: 100, nextDataId: 10 },
};

/** A batch of what is given, and nothing else. */
function batch(parts: Partial<MetadataBatch>): MetadataBatch {
  return { ...EMPTY, ...parts };
}

function inode(ino: number, parts: Partial<InodeRecord> = {}): InodeRecord {
  return {
    ino: ino as Ino,
    mode: 0o100600,
    uid: 4_000_000_000,
    gid: 3,
    links: 1,
    rdev: 0,
    accessed: { seconds: -5, nanoseconds: 1 },
    modified: { seconds: 2 ** 40, nanoseconds: 999_999_999 },
    changed: { seconds: 7, nanoseconds: 0 },
    ...parts,
  };
}

const bytes = (...values: number[]) => new Uint8Array(values);
/** Not UTF-8, as names may be. */
const NAME = "na\xff\xfeme" as ByteString;

function name(parent: number, to: number | "whiteout" | "none", text = NAME) {
  return { parent: parent as Ino, name: text, to: to as Ino | "whiteout" | "none" };
}

function content(ino: number, dataId: number, sizeBytes: number) {
  const limits = { sizeBytes, baseLimitBytes: sizeBytes };
  return { ino: ino as Ino, form: "paged" as const, dataId: dataId as DataId, ...limits };
}

function pages(ino: number, part: number, ...first: number[]) {
  const bits = new Uint8Array(PAGE_MAP_PART_SIZE_BYTES);
  bits.set(first);
  return { ino: ino as Ino, part, bits };
}

function attribute(ino: number, value: Uint8Array<ArrayBuffer> | undefined, text = "user.a") {
  return { ino: ino as Ino, name: text as ByteString, value };
}

/** Commits, closes, and loads what another opening finds. */
function reloaded(open: OpenStore, ...commits: MetadataBatch[][]) {
  const store = open();
  for (const batches of commits) store.commit(batches);
  store.close();
  const again = open();
  try {
    return again.load();
  } finally {
    again.close();
  }
}

const PROMISES: Readonly<Record<string, (open: OpenStore) => void>> = {
  "holds nothing at first, not even counters"(open) {
    const { counters, isClean, keepsLengths, generation: _, ...rest } = reloaded(open);
    assert.deepEqual([counters, isClean, keepsLengths], [undefined, false, true]);
    for (const records of Object.values(rest)) assert.deepEqual([...records], []);
  },

  "keeps every kind of record, byte for byte"(open) {
    const link = inode(3, { mode: 0o120777, target: "to/\xe4\xf6" as ByteString });
    const all = batch({
      inodes: [inode(2), link, inode(4, { mode: 0o020600, rdev: 0x1234 })],
      names: [name(1, 2), name(2, "whiteout")],
      contents: [content(2, 9, 2 ** 44), { ...content(4, 8, 0), form: "whole" }],
      pages: [pages(2, 0, 1, 255), pages(2, 7, 128)],
      extendedAttributes: [attribute(2, bytes(0, 1, 255)), attribute(3, bytes())],
      counters: { nextIno: 2 ** 40, nextDataId: 77 },
    });
    const { removed: _, ...expected } = all;
    const { deleted, isClean, keepsLengths, generation, ...state } = reloaded(open, [all]);
    assert.deepEqual(state, expected);
    assert.deepEqual([deleted, isClean, keepsLengths], [[], false, true]);
    assert(generation > 0);
  },

  "remembers data files of what was removed, until it is told that they are gone"(open) {
    const made = batch({ contents: [content(2, 9, 1), content(3, 8, 1)] });
    const removed = batch({ removed: [2 as Ino, 3 as Ino, 4 as Ino] });
    assert.deepEqual(reloaded(open, [made], [removed]).deleted.toSorted(), [8, 9]);
    const store = open();
    store.commit([made]);
    store.commit([removed]);
    store.dataDeleted(9 as DataId);
    store.commit([batch({})]);
    assert.deepEqual(store.load().deleted, [8]);
    store.close();
  },

  "counts commits, and knows whether the last one was meant to be the last"(open) {
    const store = open();
    const first = store.load().generation;
    store.commit([batch({})]);
    store.commit([batch({ contents: [{ ...content(2, 9, 0), lengthBytes: 7 }] })]);
    store.commit([batch({ isLast: true })]);
    store.close();
    const again = open();
    const { generation, isClean, contents } = again.load();
    assert(generation >= first + 3);
    assert.deepEqual([isClean, contents[0]?.lengthBytes], [true, 7]);
    again.commit([batch({})]);
    again.close();
    const third = open();
    assert.equal(third.load().isClean, false);
    third.close();
  },

  "lets the later record win, within a batch, a commit, and after it"(open) {
    const state = reloaded(
      open,
      [batch({ inodes: [inode(2, { links: 1 }), inode(2, { links: 2 })], names: [name(1, 2)] })],
      [
        batch({ inodes: [inode(2, { links: 3 })], contents: [content(2, 1, 10)] }),
        batch({ inodes: [inode(2, { links: 4 })], contents: [content(2, 1, 20)] }),
      ],
      [batch({ names: [name(1, "whiteout")], counters: { nextIno: 200, nextDataId: 11 } })],
    );
    assert.deepEqual(state.inodes.map(({ links }) => links), [4]);
    assert.deepEqual(state.contents.map(({ sizeBytes }) => sizeBytes), [20]);
    assert.deepEqual(state.names.map(({ to }) => to), ["whiteout"]);
    assert.deepEqual(state.counters, { nextIno: 200, nextDataId: 11 });
  },

  "forgets a name that the base does not have either"(open) {
    const state = reloaded(open, [batch({ names: [name(1, 5)] })], [
      batch({ names: [name(1, "none"), name(2, "none")] }),
    ]);
    assert.deepEqual(state.names, []);
  },

  "tells names of one directory from those of another, and by every byte"(open) {
    const other = "na\xff\xfdme" as ByteString;
    const state = reloaded(open, [batch({ names: [name(1, 5), name(2, 6), name(1, 7, other)] })]);
    const found = state.names.map(({ parent, name, to }) => `${parent} ${name} ${to}`).sort();
    assert.deepEqual(found, [`1 ${other} 7`, `1 ${NAME} 5`, `2 ${NAME} 6`]);
  },

  "drops a part of a page map that has no page"(open) {
    const state = reloaded(open, [batch({ pages: [pages(2, 0, 1), pages(2, 1, 1)] })], [
      batch({ pages: [pages(2, 0, 0)] }),
    ]);
    assert.deepEqual(state.pages.map(({ part }) => part), [1]);
  },

  "drops an attribute that has no value"(open) {
    const both = [attribute(2, bytes(1)), attribute(2, bytes(2), "user.b")];
    const state = reloaded(open, [batch({ extendedAttributes: both })], [
      batch({ extendedAttributes: [attribute(2, undefined), attribute(3, undefined)] }),
    ]);
    assert.deepEqual(state.extendedAttributes.map(({ name }) => name), ["user.b"]);
  },

  "drops all that was recorded for an inode that is removed, and nothing else"(open) {
    const records = (ino: number) => ({
      inodes: [inode(ino)],
      contents: [content(ino, ino, 1)],
      pages: [pages(ino, 0, 1)],
      extendedAttributes: [attribute(ino, bytes(1))],
    });
    const state = reloaded(open, [batch(records(2)), batch(records(3))], [
      batch({ removed: [2 as Ino] }),
    ]);
    for (const kind of ["inodes", "contents", "pages", "extendedAttributes"] as const) {
      assert.deepEqual(state[kind].map(({ ino }) => ino), [3], kind);
    }
  },

  "removes after all else in a batch, and takes the inode back in a later one"(open) {
    const once = batch({ inodes: [inode(2)], removed: [2 as Ino] });
    assert.deepEqual(reloaded(open, [once]).inodes, []);
    const state = reloaded(open, [once, batch({ inodes: [inode(2)] })]);
    assert.equal(state.inodes.length, 1);
  },

  "is not changed by what callers do to their arrays afterwards"(open) {
    const store = open();
    const bits = pages(2, 0, 1);
    store.commit([batch({ pages: [bits] })]);
    bits.bits.fill(255);
    const loaded = store.load();
    (loaded.pages as unknown[]).length = 0;
    assert.equal(store.load().pages[0]?.bits[1], 0);
    store.close();
  },

  "commits all batches or none"(open) {
    const store = open();
    store.commit([batch({ inodes: [inode(2)], names: [name(1, 2)] })]);
    const before = store.load();
    const good = batch({ inodes: [inode(3)], removed: [2 as Ino], names: [name(1, "none")] });
    // Something that no store can take.
    const bad = batch({ names: [{ ...name(1, 4), to: Symbol("no inode") as never }] });
    assert.throws(() => store.commit([good, bad]));
    assert.deepEqual(store.load(), before);
    store.close();
    const again = open();
    assert.deepEqual(again.load(), before);
    again.commit([good]);
    assert.deepEqual(again.load().inodes.map(({ ino }) => ino), [3], "and it goes on");
    again.close();
  },

  "takes a commit of nothing"(open) {
    assert.deepEqual(reloaded(open, [], [batch({})]).counters, EMPTY.counters);
  },
};

/**
 * Registers a test for each promise.
 *
 * @param title What the tests' names begin with: an id, and which store it is.
 * @param openIn Opens the store in a directory: what it committed before is there.
 */
export function testMetadataStore(title: string, openIn: (dirPath: string) => MetadataStore): void {
  for (const [promise, check] of Object.entries(PROMISES)) {
    Deno.test(`${title} ${promise}`, () => {
      const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
      try {
        check(() => openIn(dirPath));
      } finally {
        Deno.removeSync(dirPath, { recursive: true });
      }
    });
  }
}
