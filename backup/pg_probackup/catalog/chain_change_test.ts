import assert from "node:assert/strict";
import { type Fixture, unpackFixture } from "../../../tests/support/fixtures.ts";
import { changeOfChain } from "./chain_change.ts";
import { resolveChain } from "./resolve_chain.ts";

/** What is told after the control file of TOTL93, the FULL backup, was edited. */
async function told(edit: (text: string) => string): Promise<string | undefined> {
  await using fixture = await unpackFixture("zlib-chain");
  const spec = await specOf(fixture);
  const path = `${fixture.instancePath}/TOTL93/backup.control`;
  Deno.writeTextFileSync(path, edit(Deno.readTextFileSync(path)));
  return await changeOfChain(spec);
}

function specOf({ catalogPath }: Fixture) {
  return resolveChain({ catalogPath, backupId: "TOTL9E", useProbackup: false });
}

Deno.test("a chain that is as it was, or only has a note or another good status, is the same [FR-715]", async () => {
  assert.equal(await told((text) => text), undefined);
  assert.equal(
    await told((text) => `${text}note = 'keep'\nexpire-time = '2030-01-01 00:00:00+00'\n`),
    undefined,
  );
  assert.equal(await told((text) => text.replace(/^status = .*/m, "status = DONE")), undefined);
});

Deno.test("a status that is not good, another file list, id or parent is told [FR-715]", async () => {
  const status = (is: string) => told((text) => text.replace(/^status = .*/m, `status = ${is}`));
  for (const is of ["DELETING", "MERGING", "CORRUPT", "ORPHAN", "ERROR"]) {
    assert.equal(await status(is), `Backup TOTL93 is ${is} now`);
  }
  const crc = await told((text) => text.replace(/^content-crc = .*/m, "content-crc = 7"));
  assert.equal(crc, "The file list of backup TOTL93 has changed");
  const id = await told((text) =>
    text.replace(/^start-time = .*/m, "start-time = '2024-01-01 00:00:00+00'")
  );
  assert.match(id ?? "", /holds backup \w+ now, not TOTL93/);
  const parent = await told((text) => `${text}parent-backup-id = 'ABCDEF'\n`);
  assert.match(parent ?? "", /parent of backup TOTL93 is ABCDEF now/);
});

Deno.test("a backup that is gone is told [FR-715]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const spec = await specOf(fixture);
  Deno.removeSync(`${fixture.instancePath}/TOTL93`, { recursive: true });
  assert.match(await changeOfChain(spec) ?? "", /TOTL93 cannot be read any more/);
});
