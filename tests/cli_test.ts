/** Habits of the shell: help, refusals, completion, the manual page. */

import assert from "node:assert/strict";
import { COMMANDS } from "../cli/commands.ts";
import { COMMON } from "../cli/options.ts";
import { VERSION } from "../daemon/mod.ts";
import { CODES, DECADES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { TempDir } from "./support/temp_dir.ts";

for (const { name, summary, options, examples, codes } of COMMANDS) {
  Deno.test(`help of ${name} has its five parts [FR-750]`, async () => {
    const { code, stdout, stderr } = await runCli([name, "--help"]);
    assert.equal(code, 0);
    assert.equal(stderr, "");
    const words = stdout.replaceAll(/\s+/g, " ");
    assert(stdout.startsWith(`Usage: pbkfs ${name} `));
    assert(words.includes(summary));
    for (const { short, long, text } of [...options, ...COMMON]) {
      const names = short === undefined ? long : `${short}, ${long}`;
      assert(words.includes(names), names);
      assert(words.includes(text), text);
    }
    for (const example of examples) assert(stdout.includes(`\n  ${example}\n`), example);
    const status = stdout.slice(stdout.indexOf("Exit status:"));
    for (const known of codes) {
      assert.match(status, new RegExp(`\\b${CODES[known].exitCode}\\b`), known);
    }
  });

  Deno.test(`${name} refuses an unknown option with status 2, on stderr [FR-750]`, async () => {
    const { code, stdout, stderr } = await runCli([name, "--nonsense"]);
    assert.equal(code, CODES.Usage.exitCode);
    assert.equal(stdout, "");
    assert.match(stderr, /^pbkfs: /);
    assert(stderr.includes(`pbkfs ${name} --help`));
  });
}

Deno.test("the program has help, a version, and lists its commands [FR-750]", async () => {
  const { code, stdout } = await runCli(["--help"]);
  assert.equal(code, 0);
  for (const { name } of COMMANDS) assert.match(stdout, new RegExp(`^ {2}${name} `, "m"));
  assert.equal((await runCli(["--version"])).stdout, `${VERSION}\n`);
});

Deno.test("what is misspelt is refused, and what was meant is suggested [FR-751]", async () => {
  for (
    const [args, meant] of [[["moutn"], "mount"], [
      ["status", "--jsno"],
      "--json",
    ]] as const
  ) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal(code, CODES.Usage.exitCode);
    assert.equal(stdout, "");
    assert(stderr.includes(`Did you mean ${meant}?`), stderr);
  }
});

Deno.test("values that make no sense are refused [FR-751]", async () => {
  for (
    const args of [
      ["status", "--watch", "often"],
      ["mount", "-d", "x", "--wal", "away"],
      ["completion", "tcsh"],
      ["completion"],
      ["show"],
      ["unmount"],
      ["mount"],
    ]
  ) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal(code, CODES.Usage.exitCode, `${args}: ${stderr}`);
    assert.equal(stdout, "");
  }
});

Deno.test("a refusal says what and what to do; where it came from only with --debug [FR-763]", async () => {
  await using dir = TempDir.make();
  const args = ["show", "-B", `${dir.path}/nowhere`];
  const plain = await runCli(args);
  assert.match(plain.stderr, /^pbkfs: .*nowhere.*\n {2}\S.*\n$/);
  const debug = await runCli([...args, "--debug"]);
  assert.equal(debug.code, plain.code);
  assert(debug.stderr.startsWith(plain.stderr));
  assert.match(debug.stderr, /\n +at .*control_catalog\.ts/);
});

Deno.test("nothing is colored where NO_COLOR is set or nobody looks [FR-763]", async () => {
  for (const args of [["--help"], ["doctor"], ["status"], ["moutn"]]) {
    const { stdout, stderr } = await runCli(args);
    assert(!(stdout + stderr).includes("\x1b"));
  }
});

Deno.test("a reader that stops early is no error [FR-763]", async () => {
  const cli = new URL("../cli.ts", import.meta.url).pathname;
  const script = `${Deno.execPath()} run -A ${cli} man | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script] }).output();
  assert.match(new TextDecoder().decode(stdout), /^\.TH PBKFS .*\n0\n$/);
  assert.equal(new TextDecoder().decode(stderr), "");
});

Deno.test("exit statuses are unique, and stand in their decades [FR-764]", () => {
  const statuses = Object.values(CODES).map(({ exitCode }) => exitCode);
  assert.deepEqual(statuses, [...new Set(statuses)].sort((a, b) => a - b));
  const decades = new Set<number>(DECADES.map(({ tens }) => tens));
  for (const status of statuses) {
    assert(decades.has(Math.floor(status / 10) * 10), `${status}`);
    assert(status < 126, "the shell's own begin at 126");
  }
});
