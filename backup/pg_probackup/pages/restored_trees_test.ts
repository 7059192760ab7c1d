import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ByteString } from "../../../ffi/bytes.ts";
import { allocate } from "../../../ffi/memory.ts";
import {
  type Fixture,
  FIXTURES,
  type RestoredEntry,
  type RestoredTree,
  unpackFixture,
} from "../../../tests/support/fixtures.ts";
import type { EntryIndex } from "../../tree/base_tree.ts";
import {
  type ChainTree,
  destOf,
  loadCodecs,
  openChain,
  PieceReader,
  readFile,
  resolveChain,
  type TreeLayout,
} from "../../mod.ts";

const LAYOUT: TreeLayout = {
  mountPath: "/mnt/clone" as ByteString,
  restoredAt: 0,
  settings: [],
};

async function open(fixture: Fixture, backupId: string, layout: Partial<TreeLayout> = {}) {
  const spec = await resolveChain({
    catalogPath: fixture.catalogPath,
    backupId,
    useProbackup: false,
  });
  return await openChain(spec, { layout: { ...LAYOUT, ...layout }, codecs: await loadCodecs() });
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Our tree in the words of the recording. */
function describe(base: ChainTree): Record<string, RestoredEntry> {
  const tree: Record<string, RestoredEntry> = {};
  base.entries.forEach(({ path, kind, mode, target }, index) => {
    const entry = index as EntryIndex;
    if (kind === "directory") tree[path] = { type: "dir", mode: octal(mode) };
    else if (kind === "symlink") tree[path] = { type: "link", target: target ?? "" };
    else {
      const bytes = readFile(base, entry);
      assert.equal(base.sizeBytes(entry), bytes.length, path);
      tree[path] = { type: "file", mode: octal(mode), size: bytes.length, sha256: sha256(bytes) };
    }
  });
  return tree;
}

function octal(mode: number): string {
  return `0o${mode.toString(8)}`;
}

/** The recording of a restore as our tree shows the same. */
async function expectedTree(fixture: Fixture, base: ChainTree): Promise<RestoredTree> {
  const dest = destOf(base.spec);
  const tree: Record<string, RestoredEntry> = { ...await fixture.restored(dest.id) };
  // Its content has the time of the restore, and is the subject of a test of its own.
  delete tree["postgresql.auto.conf"];
  // A backup without WAL makes a restore ask the archive; we put the WAL into pg_wal.
  if (!dest.stream) delete tree["recovery.signal"];
  // 0666 and the umask of who restored: 0644 for most.
  const control = tree["global/pg_control"];
  assert(control?.type === "file");
  tree["global/pg_control"] = { ...control, mode: "0o644" };
  for (const [path, entry] of Object.entries(tree)) {
    if (entry.type !== "link") continue;
    const oid = path.slice("pg_tblspc/".length);
    tree[path] = { type: "link", target: `/mnt/clone/pbkfs_tablespaces/${oid}` };
    tree["pbkfs_tablespaces"] = { type: "dir", mode: "0o700" };
    tree[`pbkfs_tablespaces/${oid}`] = { type: "dir", mode: "0o700" };
    for (const [inside, moved] of Object.entries(await fixture.restored(dest.id, entry.target))) {
      tree[`pbkfs_tablespaces/${oid}/${inside}`] = moved;
    }
  }
  for (const part of fixture.parts(dest.id).filter((part) => part.startsWith("rext"))) {
    const dir = `external_directories/externaldir${part.slice("rext".length)}`;
    tree["external_directories"] = { type: "dir", mode: "0o700" };
    tree[dir] = { type: "dir", mode: "0o700" };
    for (const [inside, moved] of Object.entries(await fixture.restored(dest.id, part))) {
      tree[`${dir}/${inside}`] = moved;
    }
  }
  return tree;
}

for (const name of FIXTURES) {
  Deno.test(`every entry of every restorable backup equals the restore: ${name} [FR-110]`, async () => {
    await using fixture = await unpackFixture(name);
    assert(fixture.restoredIds.length > 0);
    for (const id of fixture.restoredIds) {
      const base = await open(fixture, id);
      const { "postgresql.auto.conf": conf, ...tree } = describe(base);
      assert.equal(conf?.type === "file" && conf.mode, "0o600");
      assert.deepEqual(tree, await expectedTree(fixture, base), id);
      assert.equal(base.rootMode, 0o700);
      assert.deepEqual(base.owner, ownerOf(base.spec.members.at(-1)!.dirPath));
      base.close();
    }
  });
}

function ownerOf(path: string): { uid: number; gid: number } {
  const { uid, gid } = Deno.statSync(path);
  return { uid: uid ?? -1, gid: gid ?? -1 };
}

Deno.test("entries are sorted, and each can be found by its path [FR-110]", async () => {
  await using fixture = await unpackFixture("mixed-compression");
  const base = await open(fixture, fixture.restoredIds[1]!);
  const paths = base.entries.map((entry) => entry.path);
  assert.deepEqual(paths, paths.toSorted((a, b) => (a < b ? -1 : 1)));
  paths.forEach((path, index) => assert.equal(base.find(path), index));
  assert.equal(base.find("base/none" as ByteString), undefined);
  base.close();
});

// A restore of an archived backup appends settings of its own, which we leave out on purpose.
for (const name of FIXTURES.filter((name) => name !== "archive-wal")) {
  Deno.test(`auto.conf has the bytes of the restore, whose time is found by trying: ${name} [FR-111]`, async () => {
    await using fixture = await unpackFixture(name);
    const newest = await open(fixture, fixture.restoredIds.at(-1)!);
    const end = destOf(newest.spec).endTime!;
    newest.close();
    for (const id of fixture.restoredIds) {
      const recorded = (await fixture.restored(id))["postgresql.auto.conf"];
      assert(recorded?.type === "file");
      const base = await open(fixture, id);
      const text = new TextDecoder().decode(readFile(base, "postgresql.auto.conf" as ByteString));
      base.close();
      // The restores were made right after the last backup, in UTC.
      const hashes = Array.from({ length: 300 }, (_, second) => {
        const time = new Date(end + second * 1000).toISOString();
        const stamp = `${time.slice(0, 10)} ${time.slice(11, 19)}+00`;
        return sha256(new TextEncoder().encode(text.replace(/at '.*'/, `at '${stamp}'`)));
      });
      assert(hashes.includes(recorded.sha256), id);
    }
  });
}

Deno.test("one block of the largest table costs the bytes of one record [FR-112]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const base = await open(fixture, fixture.restoredIds.at(-1)!);
  const largest = base.entries.map((_, index) => index as EntryIndex)
    .filter((entry) => base.entries[entry]!.isDataFile)
    .reduce((a, b) => (base.sizeBytes(b) > base.sizeBytes(a) ? b : a));
  base.planRead(largest, { offsetBytes: 0, sizeBytes: 1 }); // makes the index
  const reader = new PieceReader(base);
  const before = { ...base.counters };
  const pieces = base.planRead(largest, { offsetBytes: 40 * 8192, sizeBytes: 8192 });
  assert.equal(pieces.length, 1);
  assert.equal(reader.read(pieces, allocate(8192)), 8192);
  const piece = pieces[0]!;
  assert(piece.in === "record" || piece.in === "file");
  assert(piece.range.sizeBytes <= 8192);
  assert.equal(base.counters.storeBytesRead - before.storeBytesRead, piece.range.sizeBytes);
  assert.equal(base.counters.storeReads - before.storeReads, 1);
  assert.equal(base.counters.indexBytesRead, before.indexBytesRead);
  base.close();
});

Deno.test("reading a store changes nothing in it [FR-113]", async () => {
  await using fixture = await unpackFixture("pg17-chain");
  const before = snapshot(fixture.catalogPath);
  const base = await open(fixture, fixture.restoredIds.at(-1)!);
  describe(base);
  base.close();
  assert.deepEqual(snapshot(fixture.catalogPath), before);
});

/** Size, mode and times of modification and change of all that is below. */
function snapshot(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) => {
    const path = `${dir}/${name}`;
    const { size, mode, mtime, ctime } = Deno.statSync(path);
    const line = `${path} ${size} ${mode} ${mtime?.getTime()} ${ctime?.getTime()}`;
    return isDirectory ? [line, ...snapshot(path)] : [line];
  });
}

Deno.test("with a WAL link, pg_wal is the link, and what it held is still known [FR-114]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const base = await open(fixture, fixture.restoredIds[0]!, {
    walLink: "/var/diff/wal" as ByteString,
  });
  const wal = base.entries.filter(({ path }) => path.startsWith("pg_wal"));
  assert.deepEqual(wal, [
    { path: "pg_wal", kind: "symlink", mode: 0o777, isDataFile: false, target: "/var/diff/wal" },
  ]);
  assert.deepEqual(base.walFiles.map(({ name }) => name), [
    "000000010000000000000010",
  ]);
  base.close();
});

Deno.test("settings follow the header of the restore in auto.conf [FR-115]", async () => {
  await using fixture = await unpackFixture("archive-wal");
  const base = await open(fixture, fixture.restoredIds[0]!, {
    settings: ["port = 5433", "archive_mode = off"],
  });
  const text = new TextDecoder().decode(readFile(base, "postgresql.auto.conf" as ByteString));
  assert.match(
    text,
    /\n# recovery settings added by pg_probackup restore of backup \w+ at '19(70|69)-/,
  );
  assert(text.endsWith("'\nport = 5433\narchive_mode = off\n"), text);
  base.close();
});
