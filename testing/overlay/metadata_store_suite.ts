/**
 * What every metadata store promises.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Ino } from "../../fuse/mod.ts";
import {
  type DataId,
  type InodeRecord,
  type MetadataBatch,
  type MetadataStore,
  PAGE_MAP_PART_SIZE_BYTES,
} from "../../overlay/store/metadata_store.ts";

/** Opens the store of one test; called again, what was committed to it is there. */
export type OpenStore = () => MetadataStore;

const EMPTY: MetadataBatch = {
  inodes: [],
  names: [],
  contents: [],
  pages: [],
  extendedAttributes: [],
  removed: [],
  nextNumbers: { nextIno: 100, nextDataId: 10 },
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
async function reloaded(open: OpenStore, ...commits: MetadataBatch[][]) {
  const store = open();
  for (const batches of commits) await store.commit(batches);
  await store.close();
  const again = open();
  try {
    return await again.load();
  } finally {
    await again.close();
  }
}

const PROMISES: Readonly<Record<string, (open: OpenStore) => Promise<void>>> = {
  async "holds nothing at first, not even which numbers come next"(open) {
    const { nextNumbers, isClean, keepsLengths, generation: _, ...rest } = await reloaded(open);
    assert.deepEqual([nextNumbers, isClean, keepsLengths], [undefined, false, true]);
    for (const records of Object.values(rest)) assert.deepEqual([...records], []);
  },

  async "keeps every kind of record, byte for byte"(open) {
    const link = inode(3, { mode: 0o120777, target: "to/\xe4\xf6" as ByteString });
    const all = batch({
      inodes: [inode(2), link, inode(4, { mode: 0o020600, rdev: 0x1234 })],
      names: [name(1, 2), name(2, "whiteout")],
      contents: [content(2, 9, 2 ** 44), { ...content(4, 8, 0), form: "whole" }],
      pages: [pages(2, 0, 1, 255), pages(2, 7, 128)],
      extendedAttributes: [attribute(2, bytes(0, 1, 255)), attribute(3, bytes())],
      nextNumbers: { nextIno: 2 ** 40, nextDataId: 77 },
    });
    const { removed: _, ...expected } = all;
    const { deleted, isClean, keepsLengths, generation, ...state } = await reloaded(open, [all]);
    assert.deepEqual(state, expected);
    assert.deepEqual([deleted, isClean, keepsLengths], [[], false, true]);
    assert(generation > 0);
  },

  async "remembers data files of what was removed, until it is told that they are gone"(open) {
    const made = batch({ contents: [content(2, 9, 1), content(3, 8, 1)] });
    const removed = batch({ removed: [2 as Ino, 3 as Ino, 4 as Ino] });
    assert.deepEqual((await reloaded(open, [made], [removed])).deleted.toSorted(), [8, 9]);
    const store = open();
    await store.commit([made]);
    await store.commit([removed]);
    store.dataDeleted(9 as DataId);
    await store.commit([batch({})]);
    assert.deepEqual((await store.load()).deleted, [8]);
    await store.close();
  },

  async "counts commits, and knows whether the last one was meant to be the last"(open) {
    const store = open();
    const first = (await store.load()).generation;
    await store.commit([batch({})]);
    await store.commit([batch({ contents: [{ ...content(2, 9, 0), lengthBytes: 7 }] })]);
    await store.commit([batch({ isLast: true })]);
    await store.close();
    const again = open();
    const { generation, isClean, contents } = await again.load();
    assert(generation >= first + 3);
    assert.deepEqual([isClean, contents[0]?.lengthBytes], [true, 7]);
    await again.commit([batch({})]);
    await again.close();
    const third = open();
    assert.equal((await third.load()).isClean, false);
    await third.close();
  },

  async "lets the later record win, within a batch, a commit, and after it"(open) {
    const state = await reloaded(
      open,
      [batch({ inodes: [inode(2, { links: 1 }), inode(2, { links: 2 })], names: [name(1, 2)] })],
      [
        batch({ inodes: [inode(2, { links: 3 })], contents: [content(2, 1, 10)] }),
        batch({ inodes: [inode(2, { links: 4 })], contents: [content(2, 1, 20)] }),
      ],
      [batch({ names: [name(1, "whiteout")], nextNumbers: { nextIno: 200, nextDataId: 11 } })],
    );
    assert.deepEqual(state.inodes.map(({ links }) => links), [4]);
    assert.deepEqual(state.contents.map(({ sizeBytes }) => sizeBytes), [20]);
    assert.deepEqual(state.names.map(({ to }) => to), ["whiteout"]);
    assert.deepEqual(state.nextNumbers, { nextIno: 200, nextDataId: 11 });
  },

  async "forgets a name that the base does not have either"(open) {
    const state = await reloaded(open, [batch({ names: [name(1, 5)] })], [
      batch({ names: [name(1, "none"), name(2, "none")] }),
    ]);
    assert.deepEqual(state.names, []);
  },

  async "tells names of one directory from those of another, and by every byte"(open) {
    const other = "na\xff\xfdme" as ByteString;
    const state = await reloaded(open, [
      batch({ names: [name(1, 5), name(2, 6), name(1, 7, other)] }),
    ]);
    const found = state.names.map(({ parent, name, to }) => `${parent} ${name} ${to}`).sort();
    assert.deepEqual(found, [`1 ${other} 7`, `1 ${NAME} 5`, `2 ${NAME} 6`]);
  },

  async "drops a part of a page map that has no page"(open) {
    const state = await reloaded(open, [batch({ pages: [pages(2, 0, 1), pages(2, 1, 1)] })], [
      batch({ pages: [pages(2, 0, 0)] }),
    ]);
    assert.deepEqual(state.pages.map(({ part }) => part), [1]);
  },

  async "drops an attribute that has no value"(open) {
    const both = [attribute(2, bytes(1)), attribute(2, bytes(2), "user.b")];
    const state = await reloaded(open, [batch({ extendedAttributes: both })], [
      batch({ extendedAttributes: [attribute(2, undefined), attribute(3, undefined)] }),
    ]);
    assert.deepEqual(state.extendedAttributes.map(({ name }) => name), ["user.b"]);
  },

  async "drops all that was recorded for an inode that is removed, and nothing else"(open) {
    const records = (ino: number) => ({
      inodes: [inode(ino)],
      contents: [content(ino, ino, 1)],
      pages: [pages(ino, 0, 1)],
      extendedAttributes: [attribute(ino, bytes(1))],
    });
    const state = await reloaded(open, [batch(records(2)), batch(records(3))], [
      batch({ removed: [2 as Ino] }),
    ]);
    for (const kind of ["inodes", "contents", "pages", "extendedAttributes"] as const) {
      assert.deepEqual(state[kind].map(({ ino }) => ino), [3], kind);
    }
  },

  async "removes after all else in a batch, and takes the inode back in a later one"(open) {
    const once = batch({ inodes: [inode(2)], removed: [2 as Ino] });
    assert.deepEqual((await reloaded(open, [once])).inodes, []);
    const state = await reloaded(open, [once, batch({ inodes: [inode(2)] })]);
    assert.equal(state.inodes.length, 1);
  },

  async "is not changed by what callers do to their arrays afterwards"(open) {
    const store = open();
    const bits = pages(2, 0, 1);
    await store.commit([batch({ pages: [bits] })]);
    bits.bits.fill(255);
    const loaded = await store.load();
    (loaded.pages as unknown[]).length = 0;
    assert.equal((await store.load()).pages[0]?.bits[1], 0);
    await store.close();
  },

  async "commits all batches or none"(open) {
    const store = open();
    await store.commit([batch({ inodes: [inode(2)], names: [name(1, 2)] })]);
    const before = await store.load();
    const good = batch({ inodes: [inode(3)], removed: [2 as Ino], names: [name(1, "none")] });
    // Something that no store can take.
    const bad = batch({ names: [{ ...name(1, 4), to: Symbol("no inode") as never }] });
    await assert.rejects(store.commit([good, bad]));
    assert.deepEqual(await store.load(), before);
    await store.close();
    const again = open();
    assert.deepEqual(await again.load(), before);
    await again.commit([good]);
    assert.deepEqual((await again.load()).inodes.map(({ ino }) => ino), [3], "and it goes on");
    await again.close();
  },

  async "does what it is asked for in the order of the calls, whether or not somebody waits"(open) {
    const store = open();
    const first = (await store.load()).generation;
    const order: string[] = [];
    const told = (what: string) => () => void order.push(what);
    const asked = [
      ...[1, 2, 3].map((links) =>
        store.commit([batch({ inodes: [inode(2, { links })] })]).then(told(`commit ${links}`))
      ),
      store.load().then(({ inodes, generation }) => {
        assert.deepEqual([inodes[0]?.links, generation >= first + 3], [3, true]);
        order.push("load");
      }),
      store.commit([batch({ removed: [2 as Ino] })]).then(told("removal")),
      store.close().then(told("close")),
    ];
    await Promise.all(asked);
    assert.deepEqual(
      order,
      ["commit 1", "commit 2", "commit 3", "load", "removal", "close"],
    );
    const again = open();
    assert.deepEqual((await again.load()).inodes, []);
    await again.close();
  },

  async "takes a commit of nothing"(open) {
    assert.deepEqual((await reloaded(open, [], [batch({})])).nextNumbers, EMPTY.nextNumbers);
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
    Deno.test(`${title} ${promise}`, async () => {
      const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
      try {
        await check(() => openIn(dirPath));
      } finally {
        Deno.removeSync(dirPath, { recursive: true });
      }
    });
  }
}
