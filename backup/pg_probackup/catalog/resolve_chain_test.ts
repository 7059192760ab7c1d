import assert from "node:assert/strict";
import { type Code, PbkfsError } from "../../../errors.ts";
import { FIXTURES, unpackFixture } from "../../../tests/support/fixtures.ts";
import { HandStore } from "../../../testing/backup/hand_store.ts";
import { type ChainSpec, destOf } from "./chain_spec.ts";
import { listBackups, resolveChain } from "./resolve_chain.ts";

/** Expects a refusal, and gives its message. */
async function refused(code: Code, action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    assert(error instanceof PbkfsError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.todo, "");
    return error.message;
  }
  assert.fail(`Not refused with ${code}`);
}

/** A program that prints a file, whatever it is asked. It is written into `dirPath`. */
async function standIn(dirPath: string, script: string): Promise<string> {
  const path = `${dirPath}/pg_probackup`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`);
  await Deno.chmod(path, 0o755);
  return path;
}

function withoutSource(spec: ChainSpec): Omit<ChainSpec, "source"> {
  const { source: _source, ...rest } = spec;
  return rest;
}

for (const name of FIXTURES) {
  Deno.test(`pg_probackup show and the control files give the same chains: ${name} [FR-101]`, async () => {
    await using fixture = await unpackFixture(name);
    const { catalogPath } = fixture;
    const probackup = await standIn(fixture.dirPath, `cat "${fixture.showPath}"`);
    for (const backupId of [...fixture.restoredIds, "latest"]) {
      const shown = await resolveChain({ catalogPath, backupId, probackup });
      const read = await resolveChain({ catalogPath, backupId, useProbackup: false });
      assert.equal(shown.source, "pg_probackup");
      assert.equal(read.source, "control files");
      assert.deepEqual(withoutSource(shown), withoutSource(read));
      assert.deepEqual(JSON.parse(JSON.stringify(read)), read, "is plain data");
      assert.deepEqual(structuredClone(read), read);
    }
  });
}

Deno.test("the program is asked for one instance, and found on PATH if there [FR-101]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, dirPath, showPath } = fixture;
  const probackup = await standIn(dirPath, `echo "$*" > "${dirPath}/args"; cat "${showPath}"`);
  await resolveChain({ catalogPath, probackup });
  assert.equal(
    await Deno.readTextFile(`${dirPath}/args`),
    `show --format=json -B ${await Deno.realPath(catalogPath)} --instance=main\n`,
  );
});

Deno.test("the only instance needs no name; among several it does [FR-102]", async () => {
  await using store = await HandStore.make();
  const { catalogPath } = store;
  await store.add({});
  const options = { catalogPath, useProbackup: false };
  assert.equal((await resolveChain(options)).instance, "main");
  await Deno.mkdir(`${catalogPath}/backups/other one`);
  const message = await refused("InstanceMissing", () => resolveChain(options));
  assert.match(message, /"main", "other one"/);
  assert.equal((await resolveChain({ ...options, instance: "main" })).instance, "main");
  const unknown = await refused(
    "InstanceMissing",
    () => resolveChain({ ...options, instance: "../main" }),
  );
  assert.match(unknown, /"\.\.\/main".*"main", "other one"/);
});

Deno.test("a directory without backups is no catalog [FR-102]", async () => {
  await using store = await HandStore.make();
  for (const catalogPath of [`${store.catalogPath}/backups`, `${store.catalogPath}/none`]) {
    await refused("CatalogMissing", () => resolveChain({ catalogPath }));
  }
  await refused("InstanceMissing", async () => {
    await Deno.remove(`${store.catalogPath}/backups/main`, { recursive: true });
    await resolveChain({ catalogPath: store.catalogPath });
  });
});

Deno.test("latest is the newest backup of which the whole chain can be served [FR-103]", async () => {
  await using fixture = await unpackFixture("damaged");
  const { catalogPath, restoredIds } = fixture;
  const spec = await resolveChain({ catalogPath, useProbackup: false });
  assert.equal(destOf(spec).id, restoredIds.at(-1));
  assert.equal(spec.walSegmentBytes, 1048576);
  assert.match(spec.systemIdentifier!, /^\d+$/);
  assert.equal(spec.catalogPath, await Deno.realPath(catalogPath));
});

Deno.test("without any backup that can be served, latest says why [FR-103]", async () => {
  await using store = await HandStore.make();
  await refused("BackupMissing", () => store.resolve());
  const id = await store.add({ control: { status: "CORRUPT" } });
  const message = await refused("BackupNotRestorable", () => store.resolve());
  assert.match(message, new RegExp(`None of the 1 .*${id} has status CORRUPT`));
});

Deno.test("an id is found in any case, under whatever name the directory has [FR-104]", async () => {
  await using store = await HandStore.make();
  const id = await store.add({});
  await Deno.rename(store.dirOf(id), store.dirOf("RENAMED"));
  for (const wanted of [id, id.toLowerCase()]) {
    const { members } = await store.resolve(wanted);
    assert.deepEqual(members.map(({ id, dirPath }) => [id, dirPath]), [
      [id, `${await Deno.realPath(store.catalogPath)}/backups/main/RENAMED`],
    ]);
  }
  assert.match(
    await refused("BackupMissing", () => store.resolve("RENAMED")),
    new RegExp(`RENAMED`),
  );
});

Deno.test("one backup in two directories is refused, but not beside its merged rest [FR-104]", async () => {
  await using store = await HandStore.make();
  const id = await store.add({});
  await Deno.mkdir(store.dirOf("COPY"));
  const control = await Deno.readTextFile(`${store.dirOf(id)}/backup.control`);
  const copy = `${store.dirOf("COPY")}/backup.control`;
  await Deno.writeTextFile(copy, control);
  await refused("CatalogUnreadable", () => store.resolve());
  await Deno.writeTextFile(copy, control.replace("status = OK", "status = MERGED"));
  const spec = await store.resolve();
  assert(destOf(spec).dirPath.endsWith(`/${id}`));
});

for (
  const status of [
    "CORRUPT",
    "ORPHAN",
    "RUNNING",
    "ERROR",
    "MERGING",
    "MERGED",
    "DELETING",
    "DELETED",
    "UNKNOWN",
    "WHATEVER",
  ]
) {
  Deno.test(`status ${status} is refused, in dest and in an ancestor [FR-105]`, async () => {
    await using store = await HandStore.make();
    const bad = await store.add({ control: { status } });
    assert.match(await refused("BackupNotRestorable", () => store.resolve(bad)), /OK or DONE/);
    const child = await store.add({ mode: "PAGE", parent: bad });
    const message = await refused("BackupNotRestorable", () => store.resolve(child));
    assert.match(message, new RegExp(`${bad}, an ancestor of ${child}, has status ${status}`));
  });
}

Deno.test("OK and DONE are served, in any case of letters [FR-105]", async () => {
  await using store = await HandStore.make();
  const full = await store.add({ control: { status: "Done" } });
  const child = await store.add({ mode: "delta", parent: full.toLowerCase() });
  const { members } = await store.resolve();
  assert.deepEqual(members.map(({ id, mode }) => [id, mode]), [[full, "FULL"], [child, "DELTA"]]);
});

Deno.test("a chain with a missing member, a cycle or no FULL is refused [FR-106]", async () => {
  await using store = await HandStore.make();
  const orphan = await store.add({ mode: "PAGE", parent: "NONE" });
  assert.match(await refused("ChainBroken", () => store.resolve(orphan)), /NONE is missing/);
  const alone = await store.add({ mode: "PAGE" });
  assert.match(await refused("ChainBroken", () => store.resolve(alone)), /not FULL/);
  const first = await store.add({ mode: "PAGE", parent: "LATER" });
  const second = await store.add({ mode: "PAGE", parent: first });
  const path = `${store.dirOf(first)}/backup.control`;
  await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace("LATER", second));
  assert.match(await refused("ChainBroken", () => store.resolve(second)), /descends from it/);
  const odd = await store.add({ mode: "SNAPSHOT", parent: await store.add({}) });
  assert.match(await refused("ChainBroken", () => store.resolve(odd)), /SNAPSHOT/);
});

const FORMATS: [string, Record<string, string>, Code][] = [
  ["no program-version", { "program-version": "" }, "VersionUnsupported"],
  ["pg_probackup 3", { "program-version": "3.0.0" }, "VersionUnsupported"],
  ["pg_probackup 2.6", { "program-version": "2.6.1" }, "VersionUnsupported"],
  ["program-version nonsense", { "program-version": "2.x" }, "VersionUnsupported"],
  ["block-size", { "block-size": "16384" }, "VersionUnsupported"],
  ["xlog-block-size", { "xlog-block-size": "4096" }, "VersionUnsupported"],
  ["server-version", { "server-version": "fifteen" }, "VersionUnsupported"],
  ["compress-alg", { "compress-alg": "brotli" }, "CodecUnsupported"],
  ["start-lsn", { "start-lsn": "0-1" }, "CatalogUnreadable"],
  ["timelineid", { timelineid: "0" }, "CatalogUnreadable"],
];
for (const [what, control, code] of FORMATS) {
  Deno.test(`a control file with a wrong ${what} is refused, naming file and value [FR-107]`, async () => {
    await using store = await HandStore.make();
    const id = await store.add({ control });
    const message = await refused(code, () => store.resolve(id));
    assert(message.includes(`${store.dirOf(id)}/backup.control`), message);
    assert(message.includes(Object.values(control)[0]!), message);
  });
}

Deno.test("lz4, zstd and zstandard are known [FR-107]", async () => {
  await using store = await HandStore.make();
  for (const name of ["lz4", "zstd", "zstandard", "PGLZ"]) {
    await store.resolve(await store.add({ control: { "compress-alg": name } }));
  }
});

Deno.test("chains that pg_probackup restores with loss of data are refused [FR-107]", async () => {
  await using store = await HandStore.make();
  const full = await store.add({ version: "2.2.7" });
  const page = await store.add({ mode: "PAGE", version: "2.2.7", parent: full });
  await store.resolve(page);
  const delta = await store.add({ mode: "DELTA", version: "2.4.0", parent: page });
  const message = await refused("VersionUnsupported", () => store.resolve(delta));
  assert.match(message, new RegExp(`${page} is a PAGE backup of pg_probackup 2.2.7`));
  await store.resolve(await store.add({ mode: "PAGE", version: "2.4.0", parent: full }));
});

Deno.test("what pg_probackup complains about is passed on [FR-108]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, dirPath } = fixture;
  const probackup = await standIn(dirPath, "echo 'ERROR: bad weather' >&2; exit 3");
  const noteOf = async () =>
    (await resolveChain({ catalogPath, probackup })).notes?.join("\n") ?? "";
  assert.match(await noteOf(), /exited with 3: ERROR: bad weather/);
  await standIn(dirPath, "echo '[{'");
  assert.match(await noteOf(), /is not JSON/);
  await standIn(dirPath, "echo '[]'");
  assert.match(await noteOf(), /nothing about the instance "main"/);
  await standIn(dirPath, "kill -9 $$");
  assert.match(await noteOf(), /was ended by SIGKILL: no message/);
});

Deno.test("a program that was named and cannot be run is refused [FR-108]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, showPath } = fixture;
  for (const probackup of ["/none", showPath]) {
    const message = await refused(
      "ProbackupFailed",
      () => resolveChain({ catalogPath, probackup }),
    );
    assert(message.includes(probackup), message);
  }
});

Deno.test("the program's output need not be UTF-8 [FR-108]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const { catalogPath, dirPath, showPath } = fixture;
  const script = `sed 's/"status"/"note": "\\xff\\\\"", "status"/' "${showPath}"`;
  const probackup = await standIn(dirPath, script);
  const spec = await resolveChain({ catalogPath, probackup });
  assert.equal(destOf(spec).note, '\ufffd"');
});

Deno.test("a list tells of every backup whether it can be served, or why not [FR-109]", async () => {
  await using fixture = await unpackFixture("damaged");
  const { catalogPath, instancePath } = fixture;
  await Deno.mkdir(`${instancePath}/EMPTY`);
  await Deno.mkdir(`${instancePath}/BAD`);
  await Deno.writeTextFile(`${instancePath}/BAD/backup.control`, "status = OK\nwhat is this\n");
  const { instances, source } = await listBackups({ catalogPath, useProbackup: false });
  assert.equal(source, "control files");
  assert.deepEqual(instances.map(({ name }) => name), ["main"]);
  const told = instances[0]!.backups.map(({ info, restorable, problem }) =>
    `${info.id} ${info.status} ${restorable ? "yes" : problem?.code}`
  );
  assert.deepEqual(told.toSorted(), [
    "BAD UNKNOWN CatalogUnreadable",
    "EMPTY UNKNOWN CatalogUnreadable",
    "TOTLDZ OK yes",
    "TOTLEA CORRUPT BackupNotRestorable",
    "TOTLEF ORPHAN BackupNotRestorable",
    "TOTLEQ OK yes",
    "ZIK0ZC RUNNING BackupNotRestorable",
  ]);
  const bad = instances[0]!.backups.find(({ info }) => info.id === "BAD");
  assert.match(bad!.problem!.message, /line 2 of .*BAD\/backup\.control.* key = value/);
});

Deno.test("pg_probackup.conf: units, defaults, and values that make no sense [FR-109]", async () => {
  await using store = await HandStore.make();
  const path = `${store.catalogPath}/backups/main/pg_probackup.conf`;
  const id = await store.add({});
  const withConf = async (text: string) => {
    await Deno.writeTextFile(path, text);
    return await store.resolve(id);
  };
  assert.equal((await withConf("xlog-seg-size = 64MB")).walSegmentBytes, 64 * 1024 ** 2);
  assert.equal((await withConf("pgdata = /x # y\n")).walSegmentBytes, 16 * 1024 ** 2);
  await refused("CatalogUnreadable", () => withConf("xlog-seg-size = 1000000"));
  await refused("CatalogUnreadable", () => withConf("nonsense"));
  await Deno.remove(path);
  assert.equal((await store.resolve(id)).walSegmentBytes, 16 * 1024 ** 2);
});
