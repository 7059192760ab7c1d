/** Sizes and numbers that make no sense end in an error with a code, soon, and in little memory. */

import assert from "node:assert/strict";
import { backupIdOf, formatTime } from "../../backup/pg_probackup/catalog/control_time.ts";
import {
  type ChainSpec,
  copyWal,
  listBackups,
  loadCodecs,
  openChain,
  planWal,
  readFile,
  readFileLists,
  resolveChain,
} from "../../backup/mod.ts";
import { CODES, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { runCli } from "../support/cli.ts";
import { type Fixture, type FixtureName, unpackFixture } from "../support/fixtures.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { TempDir } from "../support/temp_dir.ts";

const TIB = 2 ** 40;
const GIB = 2 ** 30;
const FULL = "TOTL93";
const LAYOUT = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };

interface Spoilt extends AsyncDisposable {
  readonly fixture: Fixture;
  readonly backupDir: string;
  readonly spec: () => Promise<ChainSpec>;
}

async function unpack(name: FixtureName = "zlib-chain", id = FULL): Promise<Spoilt> {
  const fixture = await unpackFixture(name);
  const { catalogPath } = fixture;
  return {
    fixture,
    backupDir: `${fixture.instancePath}/${id}`,
    spec: () => resolveChain({ catalogPath, backupId: id, useProbackup: false }),
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

function edit(path: string, what: RegExp, by: string): void {
  const text = Deno.readTextFileSync(path);
  assert.match(text, what);
  Deno.writeTextFileSync(path, text.replace(what, by));
}

/** Changes a line of the list, whose CRC is then not checked. */
function editList({ backupDir }: Spoilt, path: string, key: string, value: string): void {
  edit(`${backupDir}/backup.control`, /^content-crc = .*$/m, "content-crc = 0");
  const lines = Deno.readTextFileSync(`${backupDir}/backup_content.control`).split("\n");
  const at = lines.findIndex((line) => line.includes(`"path":"${path}"`));
  const found = new RegExp(`"${key}":"[^"]*"`);
  assert.match(lines[at]!, found);
  lines[at] = lines[at]!.replace(found, `"${key}":"${value}"`);
  Deno.writeTextFileSync(`${backupDir}/backup_content.control`, lines.join("\n"));
}

Deno.test("a list of a terabyte, or of 20 GB with a CRC, is refused unread [FR-846]", async () => {
  for (const sizeBytes of [TIB, 20 * GIB]) {
    await using spoilt = await unpack();
    Deno.truncateSync(`${spoilt.backupDir}/backup_content.control`, sizeBytes);
    const spec = await spoilt.spec();
    assert.throws(() => readFileLists(spec), { code: "StoreDamaged", message: /at most/ });
  }
});

testUnless(mountObstacle(), "mount tells so with a status of its own [FR-846]", async () => {
  await using spoilt = await unpack();
  const { fixture, backupDir } = spoilt;
  Deno.truncateSync(`${backupDir}/backup_content.control`, TIB);
  const { dirPath, catalogPath: catalogDir } = fixture;
  const mountDir = `${dirPath}/mount`;
  Deno.mkdirSync(mountDir);
  const place = { catalogDir, mountDir, diffDir: `${dirPath}/diff`, backupId: FULL };
  const { code, stderr } = await runCli(mountArguments(place));
  assert.equal(code, CODES.StoreDamaged.exitCode, stderr);
});

Deno.test("numbers beyond 2^53, and such as no file has, are damage [FR-847]", async () => {
  const numbers = {
    size: ["9007199254740993", "9223372036854775807", "9223372036854775808", "9".repeat(400), "-2"],
    mode: ["99999999999"],
    n_blocks: ["4294967296", "9".repeat(30)],
    n_headers: ["2147483648"],
    hdr_off: ["9007199254740993"],
    hdr_size: ["2147483648"],
  };
  await using spoilt = await unpack();
  for (const [key, values] of Object.entries(numbers)) {
    for (const value of values) {
      editList(spoilt, "base/1/1259", key, value);
      const spec = await spoilt.spec();
      assert.throws(() => readFileLists(spec), { code: "StoreDamaged" }, `${key} ${value}`);
    }
    editList(spoilt, "base/1/1259", key, key === "mode" ? "33152" : "1");
  }
});

Deno.test("numbers that could be, and are not, make a read fail, in bounded memory [FR-847]", async () => {
  const numbers = {
    size: ["9007199254740991", "1"],
    n_blocks: ["4294967294", "1000000000"],
    n_headers: ["2147483647", "4000000"],
    hdr_off: ["9007199254740991", "1"],
    hdr_size: ["2147483647", "1"],
  };
  const codecs = await loadCodecs();
  await using spoilt = await unpack();
  const listPath = `${spoilt.backupDir}/backup_content.control`;
  const list = Deno.readTextFileSync(listPath);
  for (const [key, values] of Object.entries(numbers)) {
    for (const value of values) {
      Deno.writeTextFileSync(listPath, list);
      editList(spoilt, "base/1/1259", key, value);
      const base = await openChain(await spoilt.spec(), { codecs, layout: LAYOUT });
      try {
        readFile(base, "base/1/1259" as ByteString);
        assert.equal(key, "n_blocks", `${key} ${value}`); // Where the file ends, its pages tell.
      } catch (error) {
        assert(error instanceof PbkfsError, `${key} ${value}: ${error}`);
        assert.equal(error.code, "StoreDamaged");
      } finally {
        base.close();
      }
      const { heapTotal, external } = Deno.memoryUsage();
      assert(heapTotal + external < GIB, `${key} ${value} took ${heapTotal + external} bytes`);
    }
  }
  await using plain = await unpack();
  editList(plain, "postgresql.auto.conf", "size", "9007199254740991");
  const spec = await plain.spec();
  await assert.rejects(openChain(spec, { codecs, layout: LAYOUT }), { code: "StoreDamaged" });
});

Deno.test("control files of a gigabyte are refused unread [FR-848]", async () => {
  await using spoilt = await unpack();
  Deno.truncateSync(`${spoilt.backupDir}/backup.control`, GIB);
  await assert.rejects(spoilt.spec(), { code: "CatalogUnreadable", message: /1048576 at most/ });
  await using other = await unpack();
  Deno.truncateSync(`${other.fixture.instancePath}/pg_probackup.conf`, GIB);
  await assert.rejects(other.spec(), { code: "CatalogUnreadable", message: /1048576 at most/ });
});

Deno.test("a backup that needs all WAL there could be is refused [FR-848]", async () => {
  for (const name of ["zlib-chain", "archive-wal"] as const) {
    await using fixture = await unpackFixture(name);
    const id = fixture.restoredIds[0]!;
    const control = `${fixture.instancePath}/${id}/backup.control`;
    edit(control, /^start-lsn = .*$/m, "start-lsn = 0/1");
    edit(control, /^stop-lsn = .*$/m, "stop-lsn = FFFFFFFF/FFFFFFFF");
    const { catalogPath } = fixture;
    const spec = await resolveChain({ catalogPath, backupId: id, useProbackup: false });
    await assert.rejects(planWal(spec, { walFiles: [] }), { code: "StoreDamaged" });
  }
});

Deno.test("packed WAL, and histories, that are far too long are refused unread [FR-848]", async () => {
  await using fixture = await unpackFixture("archive-wal");
  const { catalogPath } = fixture;
  const backupId = fixture.restoredIds.at(-1)!;
  const spec = await resolveChain({ catalogPath, backupId, useProbackup: false });
  const { files } = await planWal(spec, { walFiles: [] });
  await using target = TempDir.make();
  const copy = async () => await copyWal(await planWal(spec, { walFiles: [] }), target.path);
  const last = files.at(-1)!.sourcePath;
  Deno.removeSync(last);
  Deno.writeTextFileSync(`${last.replace(/\.gz$/, "")}.gz`, "");
  Deno.truncateSync(`${last.replace(/\.gz$/, "")}.gz`, TIB);
  await assert.rejects(copy, { code: "StoreDamaged", message: /packed/ });
  const history = files.find(({ name }) => name.endsWith(".history"))!.sourcePath;
  Deno.truncateSync(history, TIB);
  await assert.rejects(copy, { code: "StoreDamaged", message: /more than 1048576/ });
});

Deno.test("thousands of backups in one chain are listed, and those beyond 1000 refused [FR-849]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, instancePath } = fixture;
  const [full, increment] = ["TOTL93", "TOTL9E"].map((id) =>
    Deno.readTextFileSync(`${instancePath}/${id}/backup.control`)
  );
  let parent = "";
  for (let at = 0; at < 3000; at++) {
    const time = Date.UTC(2020, 0, 1) + at * 60_000;
    const id = backupIdOf(time);
    const text = (at === 0 ? full! : increment!)
      .replace(/^start-time = .*$/m, `start-time = '${formatTime(time)}'`)
      .replace(/^parent-backup-id = .*$/m, `parent-backup-id = '${parent}'`);
    Deno.mkdirSync(`${instancePath}/${id}`);
    Deno.writeTextFileSync(`${instancePath}/${id}/backup.control`, text);
    parent = id;
  }
  const [instance] = (await listBackups({ catalogPath, useProbackup: false })).instances;
  assert(instance!.backups.length > 3000);
  assert.equal(instance!.backups[999]!.restorable, true);
  assert.equal(instance!.backups[1000]!.problem?.code, "ChainBroken");
  const options = { catalogPath, backupId: parent, useProbackup: false };
  await assert.rejects(resolveChain(options), { code: "ChainBroken", message: /1000/ });
  const { code, stdout, stderr } = await runCli(["show", "-B", catalogPath]);
  assert.equal(code, 0, stderr);
  assert(stdout.includes(`\n  ${"  ".repeat(20)}${parent} `));
});
