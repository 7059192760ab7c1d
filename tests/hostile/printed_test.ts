/** What a catalog says does not reach the terminal as more than text. */

import assert from "node:assert/strict";
import { unpackFixture } from "../support/fixtures.ts";
import { type CliOutcome, runCli } from "../support/cli.ts";
import { TempDir } from "../support/temp_dir.ts";

const EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\r\x7f";

/** Line breaks of our own are all that is left. */
function assertHarmless({ stdout, stderr }: CliOutcome): void {
  for (const text of [stdout, stderr]) {
    // deno-lint-ignore no-control-regex -- these are what it is about
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
  }
}

Deno.test("instances, notes, values and paths of a catalog are printed escaped [FR-837]", async () => {
  await using fixture = await unpackFixture("damaged");
  const [id = ""] = fixture.restoredIds;
  const control = `${fixture.instancePath}/${id}/backup.control`;
  const text = Deno.readTextFileSync(control);
  Deno.writeTextFileSync(control, `${text}note = 'n${EVIL}'\nserver-version = 15${EVIL}\n`);
  const name = `main${EVIL}\npbkfs: done`;
  Deno.renameSync(fixture.instancePath, `${fixture.catalogPath}/backups/${name}`);
  const catalog = ["-B", fixture.catalogPath];

  for (const args of [["show", ...catalog], ["show", ...catalog, "-i", id]]) {
    const outcome = await runCli(args);
    assert.equal(outcome.code, 0, outcome.stderr);
    assertHarmless(outcome);
    assert.match(outcome.stdout, /^Instance main\\x1b\]0;owned\\x07.*\\npbkfs: done/);
  }
  const json = await runCli(["show", ...catalog, "--json"]);
  assertHarmless(json);
  const [instance] = JSON.parse(json.stdout).instances;
  assert.equal(instance.name, name);

  const place = ["-d", `${fixture.dirPath}/diff`, "-D", fixture.dirPath];
  for (const more of [["-I", "other"], ["-i", "ZZZZZZ"], ["-i", id], ["-i", id, "--debug"]]) {
    const outcome = await runCli(["mount", ...catalog, ...place, ...more]);
    assert.notEqual(outcome.code, 0);
    assertHarmless(outcome);
  }
  assertHarmless(await runCli(["doctor", ...catalog, ...place]));
});

Deno.test("what pg_probackup says is printed escaped, in a line [FR-837]", async () => {
  await using fixture = await unpackFixture("damaged");
  await using dir = TempDir.make();
  const program = `${dir.path}/probackup`;
  Deno.writeTextFileSync(`${dir.path}/said`, `ERROR: one${EVIL}\ntwo\n`);
  Deno.writeTextFileSync(program, `#!/bin/sh\ncat "${dir.path}/said" >&2\nexit 1\n`);
  Deno.chmodSync(program, 0o755);
  const args = ["show", "-B", fixture.catalogPath, "--pg-probackup", program];
  const outcome = await runCli(args);
  assertHarmless(outcome);
  assert.match(outcome.stderr, /ERROR: one\\x1b.*; two\. /);
});
