import assert from "node:assert/strict";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { unpackFixture } from "../../tests/support/fixtures.ts";
import { restoreDirectory } from "../../tests/support/restored_directory.ts";
import { snapshot } from "../../tests/support/snapshot.ts";
import { testSource } from "../../testing/backup/source_suite.ts";
import { resolveChain } from "../pg_probackup/catalog/resolve_chain.ts";
import { openChain } from "../pg_probackup/pages/open_chain.ts";
import { loadCodecs } from "../tree/codecs.ts";
import { readFile } from "../tree/read_file.ts";
import {
  handDirectory,
  type HandOptions,
  SEGMENT_BYTES,
  STATE,
} from "../../testing/backup/hand_directory.ts";
import { DIRECTORY } from "./source.ts";

const BACKUP_ID = "TOTLB5";
const LAYOUT = { mountPath: "/mnt" as ByteString, restoredAt: 0, settings: [] };

testSource("directory [FR-981]", async () => {
  const { dirPath, topPath, [Symbol.asyncDispose]: dispose } = handDirectory();
  const backup = await DIRECTORY.resolve({ dirPath });
  const look = () => snapshot(topPath);
  const spoil = () => Deno.writeTextFileSync(`${dirPath}/postmaster.pid`, "1\n");
  return { backup, storePath: topPath, look, spoil, [Symbol.asyncDispose]: dispose };
});

Deno.test("a restored directory has the files, bytes and modes of the backup's own tree [FR-983]", async () => {
  await using fixture = await unpackFixture("mixed-compression");
  const dirPath = await restoreDirectory(fixture, BACKUP_ID, fixture.dirPath);
  const { catalogPath } = fixture;
  const spec = await resolveChain({ catalogPath, backupId: BACKUP_ID, useProbackup: false });
  const codecs = await loadCodecs();
  const walLink = byteStringOf("/diff/wal");
  const options = { codecs, layout: { ...LAYOUT, walLink } };
  const expected = await openChain(spec, options);
  const backup = await DIRECTORY.resolve({ dirPath });
  const found = await DIRECTORY.open(backup, options);
  const isCompared = (path: string) =>
    path !== "postgresql.auto.conf" && !path.startsWith("external_directories");
  const listed = (base: typeof found) => base.entries.filter(({ path }) => isCompared(path));
  const shape = (base: typeof found) =>
    listed(base).map(({ path, kind, target }) => ({ path, kind, target }));
  assert.deepEqual(shape(found), shape(expected));
  for (const { path } of listed(found).filter(({ kind }) => kind === "file")) {
    assert.deepEqual(readFile(found, path), readFile(expected, path), path);
  }
  found.close();
  expected.close();
});

Deno.test("what belongs to the server that ran there is left out, and a moved directory is the same [FR-983]", async () => {
  await using sample = handDirectory();
  const before = await DIRECTORY.resolve({ dirPath: sample.dirPath });
  const moved = `${sample.topPath}/moved`;
  Deno.renameSync(sample.dirPath, moved);
  const ofServer = ["postmaster.opts", ".s.PGSQL.5433.lock"];
  const ofRecovery = ["standby.signal", "recovery.signal", "backup_label.old"];
  for (const name of [...ofServer, ...ofRecovery]) Deno.writeTextFileSync(`${moved}/${name}`, "x");
  Deno.mkdirSync(`${moved}/base/pgsql_tmp`);
  Deno.mkdirSync(`${moved}/pg_replslot/gone`);
  Deno.writeTextFileSync(`${moved}/global/pg_internal.init.7`, "x");
  const after = await DIRECTORY.resolve({ dirPath: moved });
  assert.deepEqual({ ...after.identity, catalogPath: "" }, { ...before.identity, catalogPath: "" });
});

Deno.test("a file that was added, taken away or written is another backup [FR-983]", async () => {
  await using sample = handDirectory();
  const { dirPath } = sample;
  const crcOf = async () => (await DIRECTORY.resolve({ dirPath })).identity.members[0]?.contentCrc;
  const seen = new Set([await crcOf()]);
  Deno.writeTextFileSync(`${dirPath}/added`, "1");
  seen.add(await crcOf());
  Deno.utimeSync(`${dirPath}/added`, 1, 1);
  seen.add(await crcOf());
  Deno.writeTextFileSync(`${dirPath}/added`, "12");
  Deno.utimeSync(`${dirPath}/added`, 1, 1);
  seen.add(await crcOf());
  assert.equal(seen.size, 4);
});

const refusals: Record<
  string,
  readonly [(dirPath: string) => void, { code: string; message: RegExp }]
> = {
  "a link that a clone would write through": [
    (dirPath) => Deno.symlinkSync("/var/log", `${dirPath}/log`),
    { code: "BackupNotRestorable", message: /"log" .* symbolic link/ },
  ],
  "no PG_VERSION": [
    (dirPath) => Deno.removeSync(`${dirPath}/PG_VERSION`),
    { code: "CatalogUnreadable", message: /no PG_VERSION/ },
  ],
  "an unknown version": [
    (dirPath) => Deno.writeTextFileSync(`${dirPath}/PG_VERSION`, "99\n"),
    { code: "VersionUnsupported", message: /"99"; known are 10 to 18/ },
  ],
  "no control file": [
    (dirPath) => Deno.writeTextFileSync(`${dirPath}/global/pg_control`, "x"),
    { code: "CatalogUnreadable", message: /pg_control" is no control file/ },
  ],
  "a label that tells nothing": [
    (dirPath) => Deno.writeTextFileSync(`${dirPath}/backup_label`, "x"),
    { code: "CatalogUnreadable", message: /backup_label" does not tell/ },
  ],
  "an incremental backup": [
    (dirPath) => {
      const path = `${dirPath}/backup_label`;
      const more = "INCREMENTAL FROM LSN: 0/1000028\nINCREMENTAL FROM TLI: 1\n";
      Deno.writeTextFileSync(path, Deno.readTextFileSync(path) + more);
    },
    { code: "BackupNotRestorable", message: /is an incremental backup/ },
  ],
  "no WAL where recovery begins": [
    (dirPath) => {
      Deno.removeSync(`${dirPath}/pg_wal/000000010000000000000002`);
    },
    {
      code: "WalMissing",
      message: /WAL segment 0{7}1[0-9A-F]{16}, which recovery needs, is not in/,
    },
  ],
  "a segment of another length": [
    (dirPath) => Deno.writeTextFileSync(`${dirPath}/pg_wal/000000010000000000000FFF`, "x"),
    { code: "StoreDamaged", message: /has 1 bytes/ },
  ],
  "a server's pid file whose server cannot be seen": [
    (dirPath) => Deno.writeTextFileSync(`${dirPath}/postmaster.pid`, "999999999\n"),
    { code: "StoreLocked", message: /runs on the directory or has crashed/ },
  ],
};

for (const [what, [spoil, expected]] of Object.entries(refusals)) {
  Deno.test(`a data directory is refused: ${what} [FR-985]`, async () => {
    await using sample = handDirectory();
    spoil(sample.dirPath);
    await assert.rejects(DIRECTORY.resolve({ dirPath: sample.dirPath }), expected);
  });
}

Deno.test("what is no directory is refused as missing [FR-985]", async () => {
  await assert.rejects(DIRECTORY.resolve({ dirPath: "/nowhere" }), { code: "CatalogMissing" });
});

Deno.test("a file that is written after it was listed is not read, open or not [FR-986]", async () => {
  await using sample = handDirectory();
  const { dirPath } = sample;
  const backup = await DIRECTORY.resolve({ dirPath });
  const base = await DIRECTORY.open(backup, { codecs: await loadCodecs(), layout: LAYOUT });
  const hba = byteStringOf("pg_hba.conf");
  const ident = byteStringOf("pg_ident.conf");
  readFile(base, hba);
  const { size } = Deno.statSync(`${dirPath}/pg_hba.conf`);
  for (const name of ["pg_hba.conf", "pg_ident.conf"]) {
    using file = Deno.openSync(`${dirPath}/${name}`, { write: true });
    file.writeSync(new TextEncoder().encode("#"));
  }
  assert.equal(Deno.statSync(`${dirPath}/pg_hba.conf`).size, size);
  const isTold = { code: "StoreDamaged", message: /the file has changed since it was mounted/ };
  assert.throws(() => readFile(base, hba), isTold);
  assert.throws(() => readFile(base, ident), isTold);
  readFile(base, byteStringOf("PG_VERSION"));
  base.close();
});

Deno.test("a server that starts is noticed by what it writes first; a directory that is gone, too [FR-986]", async () => {
  await using sample = handDirectory();
  const { dirPath } = sample;
  const backup = await DIRECTORY.resolve({ dirPath });
  assert.equal(await DIRECTORY.change(backup), undefined);
  Deno.writeTextFileSync(`${dirPath}/postmaster.pid`, "1\n");
  assert.match(await DIRECTORY.change(backup) ?? "", /A server was started on ".*postmaster.pid/);
  Deno.removeSync(`${dirPath}/postmaster.pid`);
  assert.equal(await DIRECTORY.change(backup), undefined);
  Deno.utimeSync(`${dirPath}/global/pg_control`, 1, 1);
  assert.match(await DIRECTORY.change(backup) ?? "", /global\/pg_control" has changed/);
  Deno.renameSync(dirPath, `${dirPath}.away`);
  assert.match(await DIRECTORY.change(backup) ?? "", /cannot be looked at any more/);
});

Deno.test("what has changed between the command and the mount is refused [FR-986]", async () => {
  await using sample = handDirectory();
  const { dirPath } = sample;
  const backup = await DIRECTORY.resolve({ dirPath });
  const options = { codecs: await loadCodecs(), layout: LAYOUT };
  const mustRefuse = (message: RegExp) =>
    assert.rejects(DIRECTORY.open(backup, options), { code: "BackupNotRestorable", message });
  Deno.writeTextFileSync(`${dirPath}/added`, "1");
  await mustRefuse(/has changed while it was being mounted$/);
  Deno.removeSync(`${dirPath}/added`);
  Deno.writeTextFileSync(`${dirPath}/postmaster.pid`, "1");
  await mustRefuse(/while it was being mounted: A server was started/);
  Deno.removeSync(`${dirPath}/postmaster.pid`);
  (await DIRECTORY.open(backup, options)).close();
});

/** Names of the WAL that a new clone gets. */
async function walOf(options: HandOptions, change: (dirPath: string) => void = () => {}) {
  await using sample = handDirectory(options);
  change(sample.dirPath);
  const backup = await DIRECTORY.resolve({ dirPath: sample.dirPath });
  const { wal } = await DIRECTORY.look(backup);
  return wal.files.map(({ name }) => name);
}

const segments = (...numbers: number[]) => numbers.map((one) => `00000001000000000000000${one}`);

Deno.test("a base backup brings its WAL from where recovery begins, and the histories [FR-988]", async () => {
  assert.deepEqual(await walOf({}), ["00000001.history", ...segments(2, 3, 4)]);
});

Deno.test("a cluster that was shut down brings the segment of its checkpoint, and the next [FR-988]", async () => {
  const options = { state: STATE.shutDown, hasLabel: false };
  assert.deepEqual(await walOf(options), ["00000001.history", ...segments(2, 3)]);
});

Deno.test("a cluster that has crashed brings all from its last checkpoint on, as for any start [FR-988]", async () => {
  const wal = await walOf({ hasLabel: false }, (dirPath) => {
    Deno.writeFileSync(`${dirPath}/pg_wal/000000020000000000000005`, new Uint8Array(SEGMENT_BYTES));
  });
  assert.deepEqual(wal, ["00000001.history", ...segments(2, 3, 4), "000000020000000000000005"]);
});

Deno.test("pg_wal may be a link to another disk [FR-988]", async () => {
  const wal = await walOf({}, (dirPath) => {
    Deno.renameSync(`${dirPath}/pg_wal`, `${dirPath}.wal`);
    Deno.symlinkSync(`${dirPath}.wal`, `${dirPath}/pg_wal`);
  });
  assert.deepEqual(wal, ["00000001.history", ...segments(2, 3, 4)]);
});
