/** What shells complete. */

import assert from "node:assert/strict";
import { COMMANDS } from "../cli/commands.ts";
import { runCli } from "./support/cli.ts";
import { testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout } = await runCli(["completion", shell]);
  assert.equal(code, 0);
  return stdout;
}

async function run(program: string, args: readonly string[], cwd = "/"): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], cwd, stdin: "null" });
  const { stdout, stderr } = await command.output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim();
}

/** What bash offers for the last of `words`. */
async function bashOffers(
  script: string,
  words: readonly string[],
  cwd: string,
): Promise<string[]> {
  const line = words.map((word) => `'${word}'`).join(" ");
  const program = `${script}
    COMP_WORDS=(${line}); COMP_CWORD=${
    words.length - 1
  }; _pbkfs; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return (await run("bash", ["--norc", "-c", program], cwd)).split("\n").filter((word) =>
    word !== ""
  );
}

Deno.test("FR-761 bash completes commands, options, choices and directories", async () => {
  const script = await scriptFor("bash");
  await using dir = TempDir.make();
  Deno.mkdirSync(`${dir.path}/clones`);
  Deno.writeTextFileSync(`${dir.path}/clown`, "");
  const offers = (...words: string[]) => bashOffers(script, ["pbkfs", ...words], dir.path);
  assert.deepEqual(await offers("mo"), ["mount"]);
  assert.deepEqual(await offers("mount", "--dif"), ["--diff-dir"]);
  assert.deepEqual(await offers("mount", "--wal", ""), ["outside", "inside"]);
  assert.deepEqual(await offers("mount", "-d", "clo"), ["clones"]);
  assert.deepEqual(await offers("completion", "z"), ["zsh"]);
  for (const { name, options } of COMMANDS) {
    const all = await offers(name, "-");
    for (const { short, long } of options) {
      assert(all.includes(long) && all.includes(short ?? long), `${name} ${long}`);
    }
  }
});

for (const [shell, check] of [["zsh", ["-n"]], ["fish", ["--no-execute"]]] as const) {
  Deno.test(`FR-761 the script for ${shell} knows every command and option`, async () => {
    const script = await scriptFor(shell);
    for (const { name, options } of COMMANDS) {
      assert(script.includes(name), name);
      for (const { long } of options) assert(script.includes(long.slice(2)), long);
    }
  });

  testUnless(
    hasProgram(shell) ? undefined : `there is no ${shell}`,
    `FR-761 ${shell} can read its script`,
    async () => {
      await using dir = TempDir.make();
      const path = `${dir.path}/script`;
      Deno.writeTextFileSync(path, await scriptFor(shell));
      assert.equal(await run(shell, [...check, path]), "");
    },
  );
}

function hasProgram(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((dir) => {
    try {
      return Deno.statSync(`${dir}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}
