/** `pbkfs show`: what a catalog holds, and what of it can be mounted. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { FIXTURES, unpackFixture } from "./support/fixtures.ts";
import { parseDocument } from "./support/schema.ts";

/** A backup of the document, as far as the tests look. */
interface Shown {
  readonly id: string;
  readonly mode: string;
  readonly chain: readonly string[];
  readonly status: string;
  readonly mountable: boolean;
  readonly compression: { readonly algorithm: string };
  readonly problem: { readonly code: string; readonly exitStatus: number } | null;
}

async function shown(catalogPath: string, ...more: string[]): Promise<Shown[]> {
  const { code, stdout, stderr } = await runCli(["show", "-B", catalogPath, "--json", ...more]);
  assert.equal(code, 0, stderr);
  return parseDocument("show", stdout).instances[0].backups;
}

for (const name of FIXTURES) {
  Deno.test(`show --json of ${name} is as its schema says, and tells what was restored [FR-752]`, async () => {
    await using fixture = await unpackFixture(name);
    const backups = await shown(fixture.catalogPath);
    for (const id of fixture.restoredIds) {
      assert.equal(backups.find((backup) => backup.id === id)?.mountable, true, id);
    }
  });
}

Deno.test("show tells each backup's chain, and why it cannot be mounted [FR-752]", async () => {
  await using fixture = await unpackFixture("damaged");
  const backups = await shown(fixture.catalogPath);
  assert.deepEqual(backups.map(({ id, status, mountable }) => [id, status, mountable]), [
    ["TOTLDZ", "OK", true],
    ["TOTLEA", "CORRUPT", false],
    ["TOTLEF", "ORPHAN", false],
    ["TOTLEQ", "OK", true],
    ["ZIK0ZC", "RUNNING", false],
  ]);
  assert.deepEqual(backups[2]?.chain, ["TOTLDZ", "TOTLEA", "TOTLEF"]);
  assert.equal(backups[2]?.problem?.code, "BackupNotRestorable");
  assert.equal(backups[2]?.problem?.exitStatus, CODES.BackupNotRestorable.exitCode);
});

Deno.test("show for people has a line a backup, indented by its place in the chain [FR-752]", async () => {
  await using fixture = await unpackFixture("damaged");
  const { code, stdout, stderr } = await runCli(["show", "-B", fixture.catalogPath]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.match(stdout, /^Instance main/);
  assert.match(stdout, /^ {2}TOTLDZ +FULL +.* zlib 1 +OK +yes$/m);
  assert.match(stdout, /^ {6}TOTLEF +DELTA .* ORPHAN +no$/m);
  assert.match(stdout, /^ {2}TOTLEA: .*status CORRUPT/m);
});

Deno.test("show -i tells the chain of one backup [FR-752]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const backups = await shown(fixture.catalogPath, "-i", "totl9j");
  assert.deepEqual(backups.map(({ id }) => id), ["TOTL93", "TOTL9E", "TOTL9J"]);
  const { stdout } = await runCli(["show", "-B", fixture.catalogPath, "-i", "TOTL9J"]);
  assert.match(stdout, /^ {2}chain +TOTL93 TOTL9E TOTL9J$/m);
  assert.match(stdout, /^ {2}PostgreSQL +15$/m);
});

Deno.test("show refuses what is not there, each with its exit status [FR-752]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const catalog = ["show", "-B", fixture.catalogPath];
  const refusals = [
    { args: ["show", "-B", `${fixture.dirPath}/nowhere`], code: "CatalogMissing" },
    { args: [...catalog, "-I", "other"], code: "InstanceMissing" },
    { args: [...catalog, "-i", "ABCDEF"], code: "BackupMissing" },
    { args: [...catalog, "--pg-probackup", "/nowhere/pg"], code: "ProbackupFailed" },
    { args: ["show"], code: "Usage" },
  ] as const;
  for (const { args, code } of refusals) {
    const outcome = await runCli(args);
    assert.equal(outcome.code, CODES[code].exitCode, outcome.stderr);
    assert.equal(outcome.stdout, "");
    assert.match(outcome.stderr, /^pbkfs: /);
  }
});

Deno.test("the table of show fits 60 columns, with version and age [FR-941]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const env = { COLUMNS: "60" };
  const { stdout } = await runCli(["show", "-B", fixture.catalogPath], { env });
  const [, ...lines] = stdout.trimEnd().split("\n");
  assert.match(lines[0]!, /^ {2}ID +MODE +PG .*AGE .*STATUS +MOUNT$/);
  assert.match(lines[1]!, /^ {2}TOTL93 +FULL +15 .* +\d+ (s|min|h|d) .*OK +yes$/);
  for (const line of lines) assert(line.length <= 60, line);
});
