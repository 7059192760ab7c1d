import assert from "node:assert/strict";
import { type Code, PbkfsError } from "../../../errors.ts";
import { type Fixture, unpackFixture } from "../../../tests/support/fixtures.ts";
import { HandStore } from "../../../testing/backup/hand_store.ts";
import { destOf } from "./chain_spec.ts";
import { type ChainOptions, listBackups, resolveChain } from "./resolve_chain.ts";

async function refused(code: Code, options: ChainOptions): Promise<string> {
  try {
    await resolveChain(options);
  } catch (error) {
    assert(error instanceof PbkfsError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.todo, "");
    return error.message;
  }
  assert.fail(`Not refused with ${code}`);
}

/** A program that does what `script` says, whatever it is asked. */
async function standIn(dirPath: string, script: string): Promise<string> {
  const path = `${dirPath}/pg_probackup`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`);
  await Deno.chmod(path, 0o755);
  return path;
}

type Backup = Record<string, unknown>;

/** A program that shows what the real one did, after `change` had it. */
async function showing(fixture: Fixture, change: (backups: Backup[]) => Backup[]): Promise<string> {
  const [instance] = JSON.parse(await Deno.readTextFile(fixture.showPath));
  const path = `${fixture.dirPath}/changed.json`;
  const changed = [{ ...instance, backups: change(instance.backups) }];
  await Deno.writeTextFile(path, JSON.stringify(changed));
  return await standIn(fixture.dirPath, `cat "${path}"`);
}

/** `change` applied to the backup with this id. */
function only(id: string, change: Backup): (backups: Backup[]) => Backup[] {
  return (backups) => backups.map((one) => (one["id"] === id ? { ...one, ...change } : one));
}

/** The newest backup of the sample, and the one before it. */
const [PARENT, DEST] = ["TOTL9J", "TOTL9U"];

Deno.test("a program that hangs is killed after its time, and the control files are read [FR-165]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, dirPath } = fixture;
  const probackup = await standIn(dirPath, "trap '' TERM; while :; do sleep 1; done");
  const spec = await resolveChain({ catalogPath, probackup, probackupTimeoutMs: 200 });
  const own = await resolveChain({ catalogPath, useProbackup: false });
  assert.equal(own.notes, undefined);
  assert.equal(spec.source, "control files");
  assert.deepEqual(spec.members, own.members);
  const [note = "", ...more] = spec.notes ?? [];
  assert.deepEqual(more, []);
  assert.match(note, /pg_probackup show" did not end within 0\.2 s, and was killed\./);
  assert.match(note, /The control files of instance "main" were read instead/);
  assert.match(note, /--pg-probackup-timeout .*--pg-probackup none/);
});

Deno.test("a program that hangs is waited for once, however many instances there are [FR-165]", async () => {
  await using store = await HandStore.make();
  await store.add({});
  for (const name of ["other", "third"]) await Deno.mkdir(`${store.catalogPath}/backups/${name}`);
  const probackup = await standIn(store.catalogPath, "sleep 1000");
  const { catalogPath } = store;
  const listing = await listBackups({ catalogPath, probackup, probackupTimeoutMs: 200 });
  assert.equal(listing.source, "control files");
  assert.equal(listing.notes.length, 1, "each that it hangs for has a note");
  assert.deepEqual(listing.instances.map(({ backups }) => backups.length), [1, 0, 0]);
});

Deno.test("a program that prints without end does not fill our memory [FR-166]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, dirPath } = fixture;
  const probackup = await standIn(dirPath, "exec yes '[{'");
  const spec = await resolveChain({ catalogPath, probackup, probackupTimeoutMs: 600_000 });
  assert.match(spec.notes?.[0] ?? "", /printed more than 64 MiB, and was killed/);
});

Deno.test("a program that is switched off is not run [FR-167]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, dirPath } = fixture;
  const probackup = await standIn(dirPath, `touch "${dirPath}/was-run"`);
  const spec = await resolveChain({ catalogPath, probackup, useProbackup: false });
  assert.deepEqual([spec.source, spec.notes], ["control files", undefined]);
  await assert.rejects(Deno.stat(`${dirPath}/was-run`), Deno.errors.NotFound);
});

Deno.test("a note that pg_probackup cannot read any more does not keep us from its catalog [FR-168]", async () => {
  await using store = await HandStore.make();
  const id = await store.add({ control: { note: "'it's ours'" } });
  // What the program says of such a file, and of all the instance.
  const said = "ERROR: Syntax error in 'it's ours'";
  const probackup = await standIn(store.catalogPath, `echo "${said}" >&2; exit 1`);
  const spec = await resolveChain({ catalogPath: store.catalogPath, probackup });
  assert.deepEqual([destOf(spec).id, destOf(spec).note], [id, "it's ours"]);
  const [note = ""] = spec.notes ?? [];
  assert(note.includes(said), note);
  assert.match(note, /exited with 1.*control files .* were read instead; --pg-probackup none/);
  const listing = await listBackups({ catalogPath: store.catalogPath, probackup });
  assert.deepEqual(listing.notes, [note]);
  assert.deepEqual(listing.instances[0]?.backups.map(({ restorable }) => restorable), [true]);
});

Deno.test("where neither the program nor we can read, both reasons are told [FR-168]", async () => {
  await using store = await HandStore.make();
  const { catalogPath } = store;
  const id = await store.add({});
  const probackup = await standIn(catalogPath, "echo 'ERROR: bad weather' >&2; exit 1");
  await Deno.writeTextFile(`${store.dirOf(id)}/backup.control`, "what is this\n");
  const oneFile = await refused("CatalogUnreadable", { catalogPath, probackup, backupId: id });
  assert.match(oneFile, /line 1 of .*backup\.control.* key = value.*bad weather/);
  const newest = await refused("BackupNotRestorable", { catalogPath, probackup });
  assert.match(newest, /key = value.*bad weather/);
  await Deno.symlink("nowhere", `${catalogPath}/backups/main/link`);
  const withLink = await refused("BackupNotRestorable", { catalogPath, probackup });
  assert.match(withLink, /bad weather/, "a link is listed with its reason, and hides nothing");
});

Deno.test("a backup is not served if either says that it is not OK, whatever the other says [FR-169]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, instancePath } = fixture;
  const path = `${instancePath}/${PARENT}/backup.control`;
  const control = await Deno.readTextFile(path);
  for (const status of ["CORRUPT", "ORPHAN", "RUNNING", "DELETING", "NONSENSE"]) {
    const expected = new RegExp(`${PARENT}.* has status ${status}`);
    const told = await showing(fixture, only(PARENT, { status }));
    const options = { catalogPath, probackup: told, backupId: DEST };
    assert.match(await refused("BackupNotRestorable", options), expected);
    const sound = await showing(fixture, (backups) => backups);
    assert.equal(destOf(await resolveChain({ ...options, probackup: sound })).id, DEST);
    await Deno.writeTextFile(path, control.replace("status = OK", `status = ${status}`));
    assert.match(await refused("BackupNotRestorable", options), expected);
    await Deno.writeTextFile(path, control);
  }
});

Deno.test("what the program and the control files do not tell alike is refused, with both [FR-169]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath } = fixture;
  const changes: [string, Backup][] = [
    ["stop-lsn", { "stop-lsn": "0/1" }],
    ["parent-backup-id", { "parent-backup-id": "TOTL93" }],
    ["backup-mode", { "backup-mode": "DELTA" }],
    ["stream", { "wal": "ARCHIVE" }],
    ["program-version", { "program-version": "2.0.0" }],
    ["timelineid", { "current-tli": 7 }],
    ["content-crc", { "content-crc": 12345 }],
    ["external-dirs", { "external-dirs": "/somewhere" }],
    ["compress-alg", { "compress-alg": "pglz" }],
  ];
  for (const [key, change] of changes) {
    const probackup = await showing(fixture, only(DEST, change));
    const options = { catalogPath, probackup, backupId: DEST };
    const message = await refused("CatalogUnreadable", options);
    const value = key === "stream" ? "false" : String(Object.values(change)[0]);
    const expected = `pg_probackup says that its ${key} is ${value}, but "`;
    assert(
      message.includes(expected) && message.includes(`${DEST}/backup.control" says `),
      message,
    );
    assert.match(message, /--pg-probackup none/);
    // Others are not touched by it, and the operator may decide.
    assert.equal(destOf(await resolveChain({ ...options, backupId: PARENT })).id, PARENT);
    assert.equal(destOf(await resolveChain({ ...options, useProbackup: false })).id, DEST);
  }
});

Deno.test("a backup that only one of the two knows is listed, and refused [FR-169]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath } = fixture;
  const without = await showing(fixture, (all) => all.filter((one) => one["id"] !== DEST));
  const hidden = await refused("CatalogUnreadable", {
    catalogPath,
    probackup: without,
    backupId: DEST,
  });
  assert.match(hidden, /pg_probackup does not list it/);
  const { instances } = await listBackups({ catalogPath, probackup: without });
  const found = instances[0]?.backups.find(({ info }) => info.id === DEST);
  assert.deepEqual([found?.restorable, found?.problem?.code], [false, "CatalogUnreadable"]);
  const more = await showing(fixture, (all) => [
    { ...all[0], "id": "TZZZZZ", "start-time": "2028-04-19 17:10:23+00" },
    ...all,
  ]);
  const { instances: listed } = await listBackups({ catalogPath, probackup: more });
  const extra = listed[0]?.backups.at(-1);
  assert.equal(extra?.restorable, false);
  assert.match(extra?.problem?.message ?? "", /no directory of the instance holds it/);
});

Deno.test("what an older program does not tell is taken from the control files [FR-169]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath } = fixture;
  const probackup = await showing(
    fixture,
    (all) => all.map(({ "content-crc": _crc, "external-dirs": _dirs, ...rest }) => rest),
  );
  const spec = await resolveChain({ catalogPath, probackup });
  const own = await resolveChain({ catalogPath, useProbackup: false });
  assert.equal(spec.source, "pg_probackup");
  assert.deepEqual(spec.members, own.members);
  assert(spec.members.every(({ contentCrc }) => contentCrc !== undefined));
});
