import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { ByteString } from "../../../ffi/bytes.ts";
import { unpackFixture } from "../../../tests/support/fixtures.ts";
import { HandStore } from "../../../testing/backup/hand_store.ts";
import { type Lsn, parseLsn } from "../../tree/lsn.ts";
import { copyWal, loadCodecs, openChain, planWal, resolveChain } from "../../mod.ts";
import { parseHistory } from "./wal_history.ts";
import { segmentName, type SegmentNumber, segmentsBetween } from "../../tree/wal_names.ts";

const SEGMENT = 1024 * 1024;
const LAYOUT = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };

async function withDir(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-wal-" });
  try {
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

function filesIn(dir: string): Record<string, { size: number; mode: number; sha256: string }> {
  return Object.fromEntries([...Deno.readDirSync(dir)].map(({ name }) => {
    const { size, mode } = Deno.statSync(`${dir}/${name}`);
    const sha256 = createHash("sha256").update(Deno.readFileSync(`${dir}/${name}`)).digest("hex");
    return [name, { size, mode: (mode ?? 0) & 0o777, sha256 }];
  }));
}

Deno.test("streamed backups: the WAL that a restore writes, owner-only [FR-160]", async () => {
  for (const name of ["zlib-chain", "pg17-chain"] as const) {
    await using fixture = await unpackFixture(name);
    for (const backupId of fixture.restoredIds) {
      const { catalogPath } = fixture;
      const spec = await resolveChain({ catalogPath, backupId, useProbackup: false });
      const walLink = "/diff/wal" as ByteString;
      const layout = { ...LAYOUT, walLink };
      const base = await openChain(spec, { layout, codecs: await loadCodecs() });
      await withDir(async (dir) => {
        await copyWal(await planWal(spec, base), dir);
        const expected = Object.entries(await fixture.restored(backupId))
          .filter(([path, { type }]) => path.startsWith("pg_wal/") && type === "file")
          .map(([path, entry]) => {
            assert(entry.type === "file");
            const { size, sha256 } = entry;
            return [path.slice("pg_wal/".length), { size, mode: 0o600, sha256 }];
          });
        assert(expected.length > 0);
        assert.deepEqual(filesIn(dir), Object.fromEntries(expected));
      });
      base.close();
    }
  }
});

Deno.test("archived backups: the segments from start to stop, unpacked, with the history [FR-161]", async () => {
  await using fixture = await unpackFixture("archive-wal");
  const { catalogPath } = fixture;
  const names: Record<string, string[]> = {};
  for (const backupId of fixture.restoredIds) {
    const spec = await resolveChain({ catalogPath, backupId, useProbackup: false });
    const plan = await planWal(spec, { walFiles: [] });
    await withDir(async (dir) => {
      await copyWal(plan, dir, { uid: Deno.uid()!, gid: Deno.gid()! });
      const files = filesIn(dir);
      for (const [name, { size, mode }] of Object.entries(files)) {
        assert.equal(mode, 0o600);
        if (name.endsWith(".history")) continue;
        assert.equal(size, SEGMENT);
        // XLogLongPageHeaderData: timeline at 4, address of the page at 8.
        const view = new DataView(Deno.readFileSync(`${dir}/${name}`).buffer);
        const address = BigInt(`0x${name.slice(16)}`) * BigInt(SEGMENT);
        assert.equal(view.getUint32(4, true), Number(`0x${name.slice(0, 8)}`));
        assert.equal(view.getBigUint64(8, true), address);
      }
      names[backupId] = Object.keys(files).sort();
    });
  }
  assert.deepEqual(Object.values(names), [
    ["000000010000000000000010", "000000010000000000000011"],
    ["000000010000000000000015", "000000010000000000000016"],
    ["00000002.history", "000000020000000000000018", "000000020000000000000019"],
    ["00000002.history", "00000002000000000000001B", "00000002000000000000001C"],
  ]);
});

/** A store with an ARCHIVE backup that needs segments 2 and 3, and these files in the archive. */
async function archive(
  files: Readonly<Record<string, Uint8Array | string>>,
  control: Readonly<Record<string, string | number>> = {},
) {
  const store = await HandStore.make();
  await store.add({
    control: { stream: "false", "start-lsn": "0/200028", "stop-lsn": "0/300100", ...control },
  });
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${store.catalogPath}/wal/main/${name}`, bytes);
  }
  const plan = async () => await planWal(await store.resolve(), { walFiles: [] });
  return { store, plan, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

const segment = new Uint8Array(SEGMENT).fill(1);
const TWO = "000000010000000000000002";
const THREE = "000000010000000000000003";

Deno.test("a segment that is not there is named [FR-162]", async () => {
  await using one = await archive({ [TWO]: segment });
  await assert.rejects(one.plan(), { code: "WalMissing", message: new RegExp(THREE) });
  await using none = await archive({});
  await assert.rejects(none.plan(), { code: "WalMissing", message: new RegExp(TWO) });
  await Deno.remove(`${none.store.catalogPath}/wal/main`);
  await assert.rejects(none.plan(), { code: "WalMissing", message: /wal\/main/ });
  await using temporary = await archive({ [TWO]: segment, [`${THREE}.gz.part`]: segment });
  await assert.rejects(temporary.plan(), { code: "WalMissing" });
});

Deno.test("a stop where a segment begins needs nothing of that segment [FR-162]", async () => {
  await using store = await archive({ [TWO]: segment }, { "stop-lsn": "0/300000" });
  assert.deepEqual((await store.plan()).files.map(({ name }) => name), [TWO]);
});

Deno.test("a partial segment is taken for the last one, if there is nothing better [FR-162]", async () => {
  await using plain = await archive({ [TWO]: segment, [`${THREE}.partial`]: segment });
  const [, last] = (await plain.plan()).files;
  assert.equal(last!.name, THREE);
  assert(last!.sourcePath.endsWith(`${THREE}.partial`));
  await using first = await archive({ [`${TWO}.partial`]: segment, [THREE]: segment });
  await assert.rejects(first.plan(), { code: "WalMissing", message: new RegExp(TWO) });
});

Deno.test("lz4 is refused, unless the segment is there in another form [FR-162]", async () => {
  await using only = await archive({ [TWO]: segment, [`${THREE}.lz4`]: segment });
  await assert.rejects(only.plan(), { code: "CodecUnsupported", message: new RegExp(THREE) });
  await using both = await archive({ [TWO]: segment, [THREE]: segment, [`${THREE}.lz4`]: "x" });
  assert.equal((await both.plan()).files.length, 2);
});

Deno.test("on a switch of timelines, each segment comes from the newest that has it [FR-162]", async () => {
  const history = "1\t0/280000\tno recovery target specified\n";
  const [newTwo, newThree] = [TWO, THREE].map((name) => `00000002${name.slice(8)}`);
  const control = { timelineid: 2 };
  const names = async (files: Record<string, Uint8Array | string>) => {
    await using store = await archive(files, control);
    return (await store.plan()).files.map(({ name }) => name);
  };
  assert.deepEqual(
    await names({
      "00000002.history": history,
      [TWO]: segment,
      [newTwo!]: segment,
      [newThree!]: segment,
    }),
    ["00000002.history", newTwo, newThree],
  );
  assert.deepEqual(
    await names({ "00000002.history": history, [TWO]: segment, [newThree!]: segment }),
    ["00000002.history", TWO, newThree],
  );
  const later = "1\t0/380000\tlater\n";
  assert.deepEqual(
    await names({
      "00000002.history": later,
      [TWO]: segment,
      [newTwo!]: segment,
      [newThree!]: segment,
    }),
    ["00000002.history", TWO, newThree],
  );
  assert.deepEqual(await names({ [newTwo!]: segment, [newThree!]: segment }), [newTwo, newThree]);
  await using nonsense = await archive({ "00000002.history": "what\n" }, control);
  await assert.rejects(nonsense.plan(), { code: "StoreDamaged", message: /history/ });
});

Deno.test("what cannot be unpacked, or has another length, leaves nothing behind [FR-163]", async () => {
  const packed = gzipSync(segment);
  const bad: Record<string, Uint8Array> = {
    "garbage": new Uint8Array(500).fill(9),
    "cut off": packed.subarray(0, packed.length / 2),
    "too short": gzipSync(segment.subarray(1)),
    "too long": gzipSync(new Uint8Array(SEGMENT + 1)),
    "far too long": gzipSync(new Uint8Array(30 * SEGMENT)),
  };
  for (const [what, bytes] of Object.entries(bad)) {
    await using store = await archive({ [`${TWO}.gz`]: packed, [`${THREE}.gz`]: bytes });
    await withDir(async (dir) => {
      const plan = await store.plan();
      await assert.rejects(
        copyWal(plan, dir),
        { code: "StoreDamaged", message: new RegExp(THREE) },
        what,
      );
      assert.deepEqual(Object.keys(filesIn(dir)), [TWO], what);
    });
  }
  await using plain = await archive({ [TWO]: segment, [THREE]: segment.subarray(9) });
  await withDir(async (dir) => {
    const plan = await plain.plan();
    await assert.rejects(copyWal(plan, dir), { code: "StoreDamaged" });
    await Deno.remove(`${plain.store.catalogPath}/wal/main/${TWO}`);
    await assert.rejects(copyWal(plan, dir), { code: "WalMissing" });
  });
});

/** `bytes` as a gzip file of several members, as appending to one makes it. */
function gzipMembers(bytes: Uint8Array, ends: readonly number[]): Uint8Array {
  const from = [0, ...ends];
  return joined(from.map((start, at) => gzipSync(bytes.subarray(start, from[at + 1]))));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

Deno.test("a packed segment is read whole, of however many members it is [FR-174]", async () => {
  // Noise, so that members are longer than what is read at a time.
  const noise = new Uint8Array(SEGMENT);
  for (let at = 0; at < SEGMENT; at += 65536) {
    crypto.getRandomValues(noise.subarray(at, at + 65536));
  }
  for (const ends of [[SEGMENT / 2], [1, 70_000, 70_000, 200_000], [SEGMENT]]) {
    await using store = await archive({
      [`${TWO}.gz`]: gzipSync(noise),
      [`${THREE}.gz`]: gzipMembers(noise, ends),
    });
    await withDir(async (dir) => {
      await copyWal(await store.plan(), dir);
      const files = filesIn(dir);
      assert.deepEqual(files[THREE], files[TWO], `members end at ${ends}`);
    });
  }
});

Deno.test("a packed segment that is cut off, damaged or followed by something is refused [FR-174]", async () => {
  const [first, second] = [segment.subarray(0, 5000), segment.subarray(5000)];
  const [one, two] = [gzipSync(first), gzipSync(second)];
  const sound = joined([one, two]);
  const flipped = sound.slice();
  flipped[one.length - 6]! ^= 1; // In the checksum of the first member.
  const bad: Record<string, Uint8Array> = {
    "a second member cut off": sound.subarray(0, sound.length - 3),
    "a second member's header cut off": joined([gzipSync(segment), two.subarray(0, 5)]),
    "a wrong checksum of the first": flipped,
    "letters behind it": joined([sound, new TextEncoder().encode("garbage")]),
    "zeros behind it": joined([sound, new Uint8Array(512)]),
    "a zero and then letters behind it": joined([sound, new TextEncoder().encode("\0garbage")]),
    "a member too many": joined([sound, one]),
    "a second member that is missing": one,
  };
  for (const [what, bytes] of Object.entries(bad)) {
    await using store = await archive({ [TWO]: segment, [`${THREE}.gz`]: bytes });
    await withDir(async (dir) => {
      const plan = await store.plan();
      const expected = { code: "StoreDamaged", message: new RegExp(THREE) };
      await assert.rejects(copyWal(plan, dir), expected, what);
      assert.deepEqual(Object.keys(filesIn(dir)), [TWO], what);
    });
  }
});

Deno.test("a packed partial segment is not taken, and the message says so [FR-175]", async () => {
  await using packed = await archive({
    [TWO]: segment,
    [`${THREE}.gz.partial`]: gzipSync(segment),
  });
  const expected = { code: "WalMissing", message: new RegExp(`${THREE}\\.gz\\.partial`) };
  await assert.rejects(packed.plan(), expected);
  await using beside = await archive({
    [TWO]: segment,
    [`${THREE}.gz.partial`]: "anything",
    [`${THREE}.partial`]: segment,
  });
  const [, last] = (await beside.plan()).files;
  assert(last!.sourcePath.endsWith(`${THREE}.partial`));
});

Deno.test("a streamed backup without its WAL, or with short segments, is refused [FR-163]", async () => {
  await using store = await HandStore.make();
  const control = { "start-lsn": "0/200028", "stop-lsn": "0/300100" };
  const file = (name: string, size: number) => ({
    path: `pg_wal/${name}`,
    stored: new Uint8Array(size),
  });
  const plan = async (id: string) => {
    const base = await store.open(id);
    try {
      return await planWal(base.spec, base);
    } finally {
      base.close();
    }
  };
  const missing = await store.add({ control, files: [file(TWO, SEGMENT)] });
  await assert.rejects(plan(missing), { code: "WalMissing", message: new RegExp(THREE) });
  const short = await store.add({ control, files: [file(TWO, SEGMENT), file(THREE, 100)] });
  await assert.rejects(plan(short), { code: "StoreDamaged", message: /100 bytes/ });
  const sound = await store.add({ control, files: [file(TWO, SEGMENT), file(THREE, SEGMENT)] });
  assert.equal((await plan(sound)).files.length, 2);
});

Deno.test("stored WAL gets the mode that it has in the list, but never more than the group's [FR-173]", async () => {
  await using store = await HandStore.make();
  const modes = { [TWO]: 0o100640, [THREE]: 0o100666, "00000002.history": 0o100600 };
  const id = await store.add({
    control: { "start-lsn": "0/200028", "stop-lsn": "0/300100" },
    files: Object.entries(modes).map(([name, mode]) => ({
      path: `pg_wal/${name}`,
      stored: new Uint8Array(SEGMENT),
      keys: { mode },
    })),
  });
  const base = await store.open(id);
  await withDir(async (dir) => {
    await copyWal(await planWal(base.spec, base), dir);
    const found = Object.entries(filesIn(dir)).map(([name, { mode }]) => [name, mode.toString(8)]);
    assert.deepEqual(Object.fromEntries(found), {
      [TWO]: "640",
      [THREE]: "640",
      "00000002.history": "600",
    });
  });
  base.close();
});

Deno.test("segments have PostgreSQL's names and bounds [FR-164]", () => {
  const name = (number: bigint, segmentBytes: number) =>
    segmentName({ timeline: 26, segment: number as SegmentNumber, segmentBytes });
  assert.equal(name(255n, 16 * SEGMENT), "0000001A00000000000000FF");
  assert.equal(name(256n, 16 * SEGMENT), "0000001A0000000100000000");
  assert.equal(name(4096n, SEGMENT), "0000001A0000000100000000");
  assert.equal(name(4n, 1024 * SEGMENT), "0000001A0000000100000000");
  const lsn = fc.bigInt({ min: 1n, max: 2n ** 40n });
  fc.assert(fc.property(lsn, fc.bigInt({ min: 0n, max: 20n * 2n ** 20n }), (start, more) => {
    const segments = segmentsBetween(start as Lsn, start + more as Lsn, SEGMENT);
    assert(segments[0]! * BigInt(SEGMENT) <= start);
    assert((segments.at(-1)! + 1n) * BigInt(SEGMENT) >= start + more, "covers the stop");
    assert(segments.length === 1 || segments.at(-1)! * BigInt(SEGMENT) < start + more, "no more");
  }));
});

Deno.test("a history gives the timelines back to the first [FR-164]", () => {
  assert.deepEqual(parseHistory("# made up\n\n1\t0/100\tx\n2 1/0 y\n", 5), [
    { timeline: 5, begin: parseLsn("1/0") },
    { timeline: 2, begin: parseLsn("0/100") },
    { timeline: 1, begin: 0n },
  ]);
  assert.deepEqual(parseHistory("", 2), [{ timeline: 2, begin: 0n }]);
  for (const text of ["x", "1", "1 0", "2 0/1\n1 0/2", "5 0/1"]) {
    assert.equal(parseHistory(text, 5), undefined, text);
  }
});
