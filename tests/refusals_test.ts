/** What must not be mounted is refused with its own exit status, and leaves nothing behind. */

import assert from "node:assert/strict";
import { type Code, CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import type { FixtureName } from "./support/fixtures.ts";
import { mountArguments, type MountOptions } from "./support/mount_backup.ts";
import { fuseMounts } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { ordinaryUser } from "./support/users.ts";

/** One thing that is wrong. */
interface Refusal {
  readonly title: string;
  readonly fixture?: FixtureName;
  readonly backupId?: string;
  /** Makes it wrong: changes the scene, or says other options. */
  readonly spoil?: (scene: Scene) => Partial<MountOptions> | void;
  readonly code: Code;
  /** What the message must name. */
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  { title: "a CORRUPT backup", backupId: "TOTLEA", code: "BackupNotRestorable", says: /CORRUPT/ },
  { title: "an ORPHAN", backupId: "TOTLEF", code: "BackupNotRestorable", says: /ORPHAN/ },
  { title: "a RUNNING backup", backupId: "ZIK0ZC", code: "BackupNotRestorable", says: /RUNNING/ },
  { title: "an unknown backup", backupId: "ABCDEF", code: "BackupMissing", says: /ABCDEF/ },
  {
    title: "an unknown instance",
    spoil: () => ({ instance: "other" }),
    code: "InstanceMissing",
    says: /other/,
  },
  {
    title: "a catalog that is not there",
    spoil: ({ dirPath }) => ({ catalogDir: `${dirPath}/nowhere` }),
    code: "CatalogMissing",
    says: /nowhere/,
  },
  {
    title: "a directory that is not a catalog",
    spoil: ({ dirPath }) => ({ catalogDir: `${dirPath}/rows` }),
    code: "CatalogMissing",
    says: /rows/,
  },
  {
    title: "a chain with a link missing",
    fixture: "zlib-chain",
    backupId: "TOTL9U",
    spoil: ({ catalogDir }) =>
      Deno.removeSync(`${catalogDir}/backups/main/TOTL9E`, { recursive: true }),
    code: "ChainBroken",
    says: /TOTL9E/,
  },
  {
    title: "a catalog of a newer program",
    fixture: "zlib-chain",
    backupId: "TOTL93",
    spoil: (scene) => edit(scene, "TOTL93", /^program-version = .*/m, "program-version = 3.0.1"),
    code: "VersionUnsupported",
    says: /3\.0\.1/,
  },
  {
    title: "an unknown compression",
    fixture: "zlib-chain",
    backupId: "TOTL93",
    spoil: (scene) => {
      edit(scene, "TOTL93", /^content-crc = .*/m, "content-crc = 0");
      edit(scene, "TOTL93", /"compress_alg":"zlib"/g, '"compress_alg":"snow"', "backup_content");
    },
    code: "CodecUnsupported",
    says: /snow/,
  },
  {
    title: "a mount directory that is not there",
    spoil: ({ dirPath }) => ({ mountDir: `${dirPath}/no/where` }),
    code: "MountDirMissing",
    says: /no\/where/,
  },
  {
    title: "a mount directory that is not empty",
    spoil: ({ dirPath }) => ({ mountDir: `${dirPath}/rows` }),
    code: "MountDirNotEmpty",
    says: /rows/,
  },
  {
    title: "a diff directory inside the catalog",
    spoil: ({ catalogDir }) => ({ diffDir: `${catalogDir}/diff` }),
    code: "DiffMisplaced",
    says: /catalog\/diff/,
  },
  {
    title: "a diff directory inside the mount",
    spoil: ({ mountDir }) => ({ diffDir: `${mountDir}/diff` }),
    code: "DiffMisplaced",
    says: /mount\/diff/,
  },
];

/** Changes a control file of a backup. */
function edit(
  { catalogDir }: Scene,
  backupId: string,
  what: RegExp,
  by: string,
  name = "backup",
): void {
  const path = `${catalogDir}/backups/main/${backupId}/${name}.control`;
  const text = Deno.readTextFileSync(path);
  assert.match(text, what);
  Deno.writeTextFileSync(path, text.replace(what, by));
}

/** Everything but the directories' own times, which unpacking and editing here change. */
function names(dirPath: string): string[] {
  return [...Deno.readDirSync(dirPath)].map((entry) => entry.name).sort();
}

for (const refusal of REFUSALS) {
  const { title, fixture = "damaged", backupId = "TOTLEQ", code } = refusal;
  testUnless(mountObstacle(), `${title} is refused: ${code} [FR-350]`, async () => {
    await using scene = await Scene.open({ fixture, owner: ordinaryUser() });
    const spoiled = refusal.spoil?.(scene) ?? {};
    const before = [await snapshot(scene.catalogDir), names(scene.dirPath)];

    const args = mountArguments(scene.mountOptions(backupId, spoiled));
    const { code: status, stderr } = await runCli(args);
    assert.equal(status, CODES[code].exitCode, stderr);
    assert.match(stderr, refusal.says);

    assert.deepEqual([await snapshot(scene.catalogDir), names(scene.dirPath)], before);
    assert.deepEqual(names(scene.mountDir), []);
    assert.deepEqual(fuseMounts(scene.dirPath), []);
  });
}

testUnless(mountObstacle(), "a directory that is a mount already is refused [FR-351]", async () => {
  await using scene = await Scene.open({ fixture: "damaged", owner: ordinaryUser() });
  await using _mount = await scene.mount("TOTLEQ");
  const again = scene.mountOptions("TOTLDZ", { diffDir: `${scene.dirPath}/diff2` });
  const { code, stderr } = await runCli(mountArguments(again));
  assert.equal(code, CODES.MountDirBusy.exitCode, stderr);
  assert.equal(fuseMounts(scene.dirPath).length, 1);
  assert(!names(scene.dirPath).includes("diff2"));
});

testUnless(mountObstacle(), "a diff that is in use is refused [FR-351]", async () => {
  await using scene = await Scene.open({ fixture: "damaged", owner: ordinaryUser() });
  await using _mount = await scene.mount("TOTLEQ");
  const mountDir = `${scene.dirPath}/mount2`;
  Deno.mkdirSync(mountDir);
  const { code, stderr } = await runCli(mountArguments(scene.mountOptions("TOTLEQ", { mountDir })));
  assert.equal(code, CODES.DiffInUse.exitCode, stderr);
  assert.equal(fuseMounts(scene.dirPath).length, 1);
});

testUnless(mountObstacle(), "what is not a mount cannot be unmounted [FR-351]", async () => {
  await using scene = await Scene.open({ fixture: "damaged", owner: ordinaryUser() });
  const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
  assert.equal(code, CODES.NotMounted.exitCode, stderr);
});
