/** The catalog writer against what the real program wrote. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { inflate } from "pako";
import {
  type BackupInfo,
  type Base,
  type ChainSpec,
  type Codec,
  destOf,
  loadCodecs,
  openChain,
  readFile,
  resolveChain,
} from "../backup/mod.ts";
import type { EntryIndex } from "../backup/mod.ts";
import type { ByteString } from "../ffi/bytes.ts";
import {
  type Content,
  type ContentEntry,
  readContent,
} from "./support/catalog_writer/content_entry.ts";
import { makeInstance } from "./support/catalog_writer/make_instance.ts";
import { StreamPool } from "./support/catalog_writer/stream_pool.ts";
import { unpackBackup } from "./support/catalog_writer/unpack_backup.ts";
import { writeBackup, type WrittenBackup } from "./support/catalog_writer/write_backup.ts";
import { LiveCatalogs } from "./support/catalog_writer/live_catalogs.ts";
import { writeSynthetic } from "./support/catalog_writer/synthetic.ts";
import { PostgresServer } from "../postgres/mod.ts";
import { makeCluster } from "./support/cluster.ts";
import { type FixtureName, unpackFixture } from "./support/fixtures.ts";
import { mountBackup } from "./support/mount_backup.ts";
import { CHAIN, sampleObstacle } from "./support/samples.ts";
import { testUnless } from "./support/skip.ts";
import { giveTo, TempDir } from "./support/temp_dir.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const CHAINS: readonly (readonly [FixtureName, string])[] = [
  ["zlib-chain", "TOTL9U"],
  ["mixed-compression", "TOTLB5"],
  ["pg17-chain", "TOTLRS"],
];

/**
 * What a control file tells of a backup. Times of its end are our own; the size of the cluster
 * includes files that are not in the backup.
 */
const NAMES_TOLD = [
  ...["id", "mode", "stream", "compressAlg", "compressLevel", "fromReplica", "blockSizeBytes"],
  ...["walBlockSizeBytes", "checksumVersion", "programVersion", "serverVersion", "timeline"],
  ...["startLsn", "stopLsn", "startTime", "status", "parentId", "externalDirs", "walBytes"],
] as readonly (keyof BackupInfo)[];

/** Codecs to write a chain with; each backup's own if there are none. */
interface Rewritten {
  readonly spec: ChainSpec;
  readonly written: readonly WrittenBackup[];
}

/** Unpacks each backup of a chain, and writes it again to a catalog in `dirPath`. */
async function rewrite(
  spec: ChainSpec,
  dirPath: string,
  options: { readonly codecs?: readonly Codec[]; readonly threads?: number } = {},
): Promise<Rewritten> {
  const catalogPath = `${dirPath}/catalog`;
  const instancePath = makeInstance({
    catalogPath,
    systemIdentifier: spec.systemIdentifier ?? "0",
    walSegmentBytes: spec.walSegmentBytes,
  });
  using pool = new StreamPool(options.threads ?? 0);
  const written: WrittenBackup[] = [];
  for (const [at, info] of spec.members.entries()) {
    const part = { ...spec, members: spec.members.slice(0, at + 1) };
    const unpacked = await unpackBackup(part, `${dirPath}/${info.id}`);
    written.push(
      await writeBackup({
        instancePath,
        ...unpacked,
        mode: info.mode as "FULL" | "DELTA" | "PAGE",
        parent: written.at(-1),
        codec: options.codecs?.[at] ?? info.compressAlg as Codec,
        level: info.compressLevel,
        serverVersion: info.serverVersion,
        hasChecksums: info.checksumVersion === 1,
        timeline: info.timeline,
        startLsn: info.startLsn,
        stopLsn: info.stopLsn,
        startTime: info.startTime,
        ...(info.externalDirs === undefined ? {} : { externalDirs: info.externalDirs }),
        ...(info.mode === "PAGE" && { changedBlocks: (path) => storedBlocks(info.dirPath, path) }),
      }, pool),
    );
    await Deno.remove(`${dirPath}/${info.id}`, { recursive: true });
  }
  return { spec: await resolveChain({ catalogPath, useProbackup: false }), written };
}

/** What the real program found in the WAL. */
function storedBlocks(backupPath: string, path: string): Set<number> {
  const entry = readContent(backupPath).get(`0 ${path}`);
  if (entry === undefined || entry.size <= 0) return new Set();
  const stored = Deno.readFileSync(`${backupPath}/database/${path}`);
  const view = new DataView(stored.buffer);
  const blocks = new Set<number>();
  for (let at = 0; at < stored.length; at += 8 + view.getInt32(at + 4, true)) {
    blocks.add(view.getUint32(at, true));
  }
  return blocks;
}

/** All of an entry that does not depend on how well its pages were compressed. */
function withoutSizes(entry: ContentEntry): Partial<ContentEntry> {
  const isStream = entry.headerCount > 0;
  const { size, crc, headersCrc, headersOffset: _, headersSize: __, ...rest } = entry;
  return isStream ? { ...rest, size: Math.sign(size) } : { ...rest, size, crc, headersCrc };
}

/** Files that the program makes itself have a mode by the umask that it had. */
const OWN_FILES = ["backup_label", "tablespace_map", "database_map"];

function sorted(content: Content): Partial<ContentEntry>[] {
  return [...content].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) =>
    OWN_FILES.includes(entry.path) ? { ...withoutSizes(entry), mode: 0 } : withoutSizes(entry)
  );
}

/** LSN, block and checksum of each page stored; positions differ with the compression. */
function headersOf(backupPath: string, entry: ContentEntry): string[] {
  const map = Deno.readFileSync(`${backupPath}/page_header_map`);
  const { headersOffset, headersSize } = entry;
  const region = inflate(map.subarray(headersOffset, headersOffset + headersSize));
  const view = new DataView(region.buffer, region.byteOffset);
  return Array.from({ length: entry.headerCount }, (_, at) => {
    const [lsn, block] = [view.getBigUint64(at * 24, true), view.getInt32(at * 24 + 8, true)];
    return `${block} ${lsn} ${view.getUint16(at * 24 + 16, true)}`;
  });
}

async function hashes(spec: ChainSpec): Promise<Record<string, string>> {
  const layout = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };
  const base: Base = await openChain(spec, { layout, codecs: await loadCodecs() });
  const found: Record<string, string> = {};
  base.entries.forEach(({ path, kind, mode }, index) => {
    const bytes = kind === "file" ? readFile(base, index as EntryIndex) : new Uint8Array();
    const modeTold = OWN_FILES.includes(path) ? 0 : mode;
    found[path] = `${kind} ${modeTold} ${createHash("sha256").update(bytes).digest("hex")}`;
  });
  base.close();
  return found;
}

for (const [fixtureName, backupId] of CHAINS) {
  Deno.test(`a backup of ${fixtureName}, unpacked and written again, is what it was [FR-801]`, async () => {
    await using fixture = await unpackFixture(fixtureName);
    await using dir = TempDir.make();
    const { catalogPath } = fixture;
    const spec = await resolveChain({ catalogPath, backupId, useProbackup: false });
    const { spec: ours } = await rewrite(spec, dir.path);
    let identical = 0;
    for (const [at, { dirPath: theirPath, compressAlg }] of spec.members.entries()) {
      const ourPath = ours.members[at]!.dirPath;
      const [theirs, own] = [readContent(theirPath), readContent(ourPath)];
      assert.deepEqual(sorted(own), sorted(theirs), `file list of ${theirPath}`);
      for (const [key, entry] of own) {
        if (entry.headerCount === 0) continue;
        assert.deepEqual(headersOf(ourPath, entry), headersOf(theirPath, theirs.get(key)!), key);
        const isSame = entry.crc === theirs.get(key)!.crc;
        if (isSame) assert.equal(entry.headersCrc, theirs.get(key)!.headersCrc, key);
        assert(isSame || compressAlg !== "none", `${key} of ${theirPath} has other bytes`);
        identical += isSame ? 1 : 0;
      }
      const [told, expected] = [ours.members[at]!, spec.members[at]!];
      for (const name of NAMES_TOLD) assert.deepEqual(told[name], expected[name], name);
      if (compressAlg !== "pglz") assert.equal(told.dataBytes, expected.dataBytes);
      assert(told.contentCrc! > 0);
    }
    assert(identical > 100, `${identical} streams are byte for byte the same`);
    assert.equal(ours.walSegmentBytes, spec.walSegmentBytes);
    assert.deepEqual(await hashes(ours), await hashes(spec));
  });
}

const RECODED: readonly (readonly Codec[])[] = [
  ["lz4", "zstd", "pglz", "none"],
  ["zlib", "lz4", "lz4", "zstd"],
];

for (const codecs of RECODED) {
  Deno.test(`a chain written with ${codecs.join(", ")}, by threads, is the same tree [FR-802]`, async () => {
    await using fixture = await unpackFixture("zlib-chain");
    await using dir = TempDir.make();
    const { catalogPath } = fixture;
    const spec = await resolveChain({ catalogPath, useProbackup: false });
    const { spec: ours } = await rewrite(spec, dir.path, { codecs, threads: 2 });
    assert.deepEqual(ours.members.map(({ compressAlg }) => compressAlg), codecs);
    assert.equal(destOf(ours).id, destOf(spec).id);
    assert.deepEqual(await hashes(ours), await hashes(spec));
  });
}

testUnless(
  sampleObstacle(),
  "a catalog of a running server, mounted, has what was committed before each backup [FR-803]",
  async () => {
    await using dir = TempDir.make(ordinaryUser());
    const clusterDir = `${dir.path}/cluster`;
    await makeCluster({
      dirPath: clusterDir,
      majorVersion: CHAIN.majorVersion,
      owner: ordinaryUser(),
    });
    {
      await using server = await PostgresServer.start({
        dataDir: clusterDir,
        settings: { fsync: "off", autovacuum: "off" },
      });
      const user = isRoot() ? ordinaryUser() : undefined;
      const codecs = ["lz4", "zstd"] as const;
      const options = { server, user, dirPath: dir.path, codecs, threads: 0 };
      using catalogs = await LiveCatalogs.make(options);
      await server.query("create table t as select i, 0 as n from generate_series(1, 20000) i");
      await catalogs.add("FULL");
      await server.query("update t set n = 1 where i % 500 = 0");
      await catalogs.add("DELTA");
      await server.query(["update t set n = 2 where i % 1000 = 0", "vacuum t"]);
      await catalogs.add("PAGE");
      await server.query("drop table t");
    }
    for (const codec of ["lz4", "zstd"]) {
      if (isRoot()) await giveTo(ordinaryUser(), `${dir.path}/${codec}`);
      const catalogDir = `${dir.path}/${codec}`;
      const [mountDir, diffDir] = [`${dir.path}/mount`, `${dir.path}/diff-${codec}`];
      Deno.mkdirSync(mountDir, { recursive: true });
      await using mount = await mountBackup({ catalogDir, mountDir, diffDir });
      await using server = await PostgresServer.start({
        dataDir: mountDir,
        user: ordinaryUser(),
      });
      const answer = await server.query("select count(*), sum(n), count(distinct n) from t");
      assert.equal(answer, "20000|60|3");
      await server.stop();
      await mount.unmount();
    }
  },
);

Deno.test("a made-up catalog has as many files as asked for [FR-804]", async () => {
  await using dir = TempDir.make();
  const catalogPath = `${dir.path}/catalog`;
  writeSynthetic({ catalogPath, files: 400, backups: 3, stored: 400 });
  const spec = await resolveChain({ catalogPath, useProbackup: false });
  assert.equal(spec.members.length, 3);
  const files = Object.entries(await hashes(spec)).filter(([path]) => /^base\/\d+\/\d+/.test(path));
  assert.equal(files.length, 400);
  assert.equal(new Set(files.map(([, described]) => described)).size, 1);
});
