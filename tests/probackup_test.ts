/** What the commands do with a pg_probackup that hangs, or that cannot read its own catalog. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { unpackFixture } from "./support/fixtures.ts";
import { mountBackup } from "./support/mount_backup.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";

const HANGING = "trap '' TERM INT; while :; do sleep 1; done";
const FAILING = "echo 'ERROR: Syntax error in note' >&2; exit 1";
/** Of what the commands say. */
const KILLED = /did not end within 0\.5 s, and was killed/;
const FAILED = /exited with 1: ERROR: Syntax error in note/;

/** A sample with a program beside it that does what `script` says. */
async function sample(script: string) {
  const fixture = await unpackFixture("zlib-chain");
  const probackup = `${fixture.dirPath}/pg_probackup`;
  await Deno.writeTextFile(probackup, `#!/bin/sh\n${script}\n`);
  await Deno.chmod(probackup, 0o755);
  const options = ["--pg-probackup", probackup, "--pg-probackup-timeout", "0.5"];
  const dispose = () => fixture[Symbol.asyncDispose]();
  return { fixture, probackup, options, [Symbol.asyncDispose]: dispose };
}

for (
  const [id, title, script, expected] of [
    ["FR-165", "hangs", HANGING, KILLED],
    ["FR-168", "fails", FAILING, FAILED],
  ] as const
) {
  testUnless(
    mountObstacle(),
    id === "FR-165"
      ? "mount goes on without a program that hangs, and says so [FR-165]"
      : "mount goes on without a program that fails, and says so [FR-168]",
    async () => {
      await using one = await sample(script);
      const { fixture: { dirPath, catalogPath }, options } = one;
      const [mountDir, diffDir] = [`${dirPath}/mount`, `${dirPath}/diff`];
      await Deno.mkdir(mountDir);
      await using mount = await mountBackup({
        catalogDir: catalogPath,
        mountDir,
        diffDir,
        extra: options,
      });
      const { stderr } = mount.printed;
      assert.match(stderr, expected, title);
      assert.match(stderr, /control files of instance "main" were read instead/);
      assert.match(stderr, /--pg-probackup none/);
      assert((await Deno.stat(`${mountDir}/PG_VERSION`)).isFile);
      await mount.unmount();
      assert.match(
        await Deno.readTextFile(`${diffDir}/pbkfs.log`),
        expected,
        "the log has it, too",
      );
    },
  );
}

Deno.test("show lists what the control files tell when the program hangs [FR-165]", async () => {
  await using one = await sample(HANGING);
  const args = ["show", "-B", one.fixture.catalogPath, ...one.options];
  const { code, stdout, stderr } = await runCli(args);
  assert.equal(code, 0, stderr);
  assert.match(stderr, KILLED);
  assert.match(stdout, /^ {2}TOTL93 +FULL .* yes$/m);
});

Deno.test("show says what the program could not do, also as JSON [FR-168]", async () => {
  await using one = await sample(FAILING);
  const args = ["show", "-B", one.fixture.catalogPath, ...one.options];
  const { code, stdout, stderr } = await runCli([...args, "--json"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const document = parseDocument("show", stdout);
  assert.equal(document.source, "control files");
  assert.match(document.notes.join(), FAILED);
  assert.equal(document.instances[0].backups.length, 4);
  assert.match((await runCli(args)).stderr, FAILED);
});

for (const [title, script] of [["hangs", HANGING], ["fails", FAILING]] as const) {
  Deno.test(`doctor warns of a program that ${title}, and looks at the catalog [FR-168]`, async () => {
    await using one = await sample(script);
    const args = ["doctor", "--json", "-B", one.fixture.catalogPath, ...one.options];
    const { findings } = parseDocument("doctor", (await runCli(args)).stdout);
    const found = new Map<string, { level: string; found: string; todo: string }>(
      findings.map((finding: { id: string }) => [finding.id, finding]),
    );
    const catalog = found.get("catalog");
    assert.equal(catalog?.level, "warning");
    assert.match(catalog.found, /4 backups, of which 4 can be mounted/);
    assert.match(catalog.found, title === "hangs" ? KILLED : FAILED);
    assert.notEqual(catalog.todo, "");
    const program = found.get("pg-probackup");
    assert.equal(program?.level, "warning");
    assert.match(program.todo, /--pg-probackup none/);
  });
}

Deno.test("--pg-probackup none runs no program, in show and doctor [FR-167]", async () => {
  await using one = await sample(`touch "$0.was-run"`);
  const env = { PATH: `${one.fixture.dirPath}:${Deno.env.get("PATH")}` };
  const none = ["-B", one.fixture.catalogPath, "--pg-probackup", "none", "--json"];
  const shown = await runCli(["show", ...none], { env });
  assert.equal(shown.code, 0, shown.stderr);
  assert.deepEqual(parseDocument("show", shown.stdout).notes, []);
  const { stdout } = await runCli(["doctor", ...none], { env });
  const found = parseDocument("doctor", stdout).findings
    .find(({ id }: { id: string }) => id === "pg-probackup");
  assert.equal(found.level, "ok");
  assert.match(found.found, /switched off/);
  await assert.rejects(Deno.stat(`${one.probackup}.was-run`), Deno.errors.NotFound);
  const asked = await runCli(["show", "-B", one.fixture.catalogPath], { env });
  assert.equal(asked.code, 0, asked.stderr);
  assert(
    (await Deno.stat(`${one.probackup}.was-run`)).isFile,
    "without it, the one on PATH is run",
  );
});

Deno.test("the time limit is told by help, and refused if it is none [FR-165]", async () => {
  for (const command of ["mount", "show", "doctor"]) {
    const { stdout } = await runCli([command, "--help"]);
    assert.match(stdout.replaceAll(/\s+/g, " "), /--pg-probackup-timeout <SECONDS> .*default: 10/);
  }
  const { code } = await runCli(["show", "-B", "/nowhere", "--pg-probackup-timeout", "soon"]);
  assert.equal(code, CODES.Usage.exitCode);
});
