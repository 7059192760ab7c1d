/** What shells complete. */

import assert from "node:assert/strict";
import { COMMANDS } from "../cli/commands.ts";
import { runCli } from "./support/cli.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";
import { ordinaryUser } from "./support/users.ts";

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

Deno.test("bash completes commands, options, choices and directories [FR-761]", async () => {
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

/** A catalog of names that shells may stumble over, in a directory with a blank. */
function makeCatalog(dirPath: string): string {
  const catalog = `${dirPath}/my backups/cat`;
  for (const place of ["main/AAA111", "main/BBB222", "second one/CCC333"]) {
    Deno.mkdirSync(`${catalog}/backups/${place}`, { recursive: true });
    Deno.writeTextFileSync(`${catalog}/backups/${place}/backup.control`, "");
  }
  Deno.mkdirSync(`${catalog}/backups/main/not-a-backup`);
  return catalog;
}

Deno.test("bash offers backups, latest and instances, also where names have blanks [FR-943]", async () => {
  const script = await scriptFor("bash");
  await using dir = TempDir.make();
  const catalog = makeCatalog(dir.path);
  const offers = (...words: string[]) => bashOffers(script, ["pbkfs", ...words], dir.path);
  assert.deepEqual(await offers("mount", "-d", "my"), ["my backups"]);
  assert.deepEqual(await offers("mount", "-d", "my\\ b"), ["my backups"]);
  assert.deepEqual(await offers("mount", "-d", '"my b'), ["my backups"]);
  assert.deepEqual(await offers("show", "-B", catalog, "-I", ""), ["main", "second one"]);
  assert.deepEqual(await offers("show", "-B", catalog, "-I", "second\\ "), ["second one"]);
  const typed = catalog.replaceAll(" ", "\\ ");
  assert.deepEqual(await offers("mount", "-B", typed, "-i", ""), [
    ...["latest", "AAA111", "BBB222", "CCC333"],
  ]);
  assert.deepEqual(await offers("mount", "-B", typed, "-I", "second\\ one", "-i", ""), [
    ...["latest", "CCC333"],
  ]);
  assert.deepEqual(await offers("mount", "--pbk-store", "=", typed, "--backup-id", "=", "B"), [
    "BBB222",
  ]);
  assert.deepEqual(await offers("mount", "-i", "la"), ["latest"]);
});

testUnless(mountObstacle(), "bash and fish offer mounts and diffs [FR-943]", async () => {
  await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
  const mountDir = `${scene.dirPath}/a mount`;
  const diffDir = `${scene.dirPath}/a diff`;
  await using _mount = await scene.mount("TOTL9U", { mountDir, diffDir });
  const script = await scriptFor("bash");
  const offers = (...words: string[]) => bashOffers(script, ["pbkfs", ...words], "/");
  assert((await offers("unmount", "-D", `${scene.dirPath}/a`)).includes(mountDir));
  assert((await offers("status", "-d", `${scene.dirPath}/a`)).includes(diffDir));
  assert((await offers("logs", "-D", "")).includes(mountDir));
  if (!hasProgram("fish")) return;
  const found = await fishOffers(await scriptFor("fish"), "pbkfs unmount -D ", scene.dirPath);
  assert(found.includes(mountDir), found.join());
});

/** What fish offers at the end of a line. */
async function fishOffers(script: string, line: string, dirPath: string): Promise<string[]> {
  const path = `${dirPath}/pbkfs.fish`;
  Deno.writeTextFileSync(path, script);
  const ask = `source ${path}; complete -C ${JSON.stringify(line)}`;
  const env = { HOME: dirPath, XDG_CONFIG_HOME: dirPath };
  const job = { args: ["-c", ask], env, stdin: "null" } as const;
  const { stdout } = await new Deno.Command("fish", { ...job, args: [...job.args] }).output();
  return new TextDecoder().decode(stdout).split("\n").map((each) => each.split("\t")[0] ?? "");
}

testUnless(
  hasProgram("fish") ? undefined : "there is no fish",
  "fish offers backups, latest and instances [FR-943]",
  async () => {
    await using dir = TempDir.make();
    const script = await scriptFor("fish");
    const typed = makeCatalog(dir.path).replaceAll(" ", "\\ ");
    const offers = async (line: string) =>
      (await fishOffers(script, line, dir.path)).filter((each) => each !== "");
    assert.deepEqual((await offers(`pbkfs show -B ${typed} -i `)).sort(), [
      ...["AAA111", "BBB222", "CCC333", "latest"],
    ]);
    const chosen = await offers(`pbkfs mount -B ${typed} -I second\\ one -i `);
    assert.deepEqual(chosen.sort(), ["CCC333", "latest"]);
    assert.deepEqual((await offers(`pbkfs mount -B ${typed} -I `)).sort(), ["main", "second one"]);
  },
);

testUnless(
  hasProgram("zsh") ? undefined : "there is no zsh",
  "zsh finds backups, latest, instances and mounts [FR-943]",
  async () => {
    await using dir = TempDir.make();
    const typed = makeCatalog(dir.path).replaceAll(" ", "\\ ");
    const path = `${dir.path}/_pbkfs`;
    // Outside of a completion, the functions are asked alone: what adds words prints them.
    Deno.writeTextFileSync(path, (await scriptFor("zsh")).replace(/_pbkfs "\$@"\n$/, ""));
    const ask = async (given: string, name: string) => {
      const program = `compadd() { print -rl -- "\${(@P)2}" }; _files() { }; source ${path}
        typeset -A opt_args=(${given}); _pbkfs_${name}`;
      return (await run("zsh", ["-f", "-c", program])).split("\n");
    };
    const catalog = `-B '${typed}'`;
    assert.deepEqual(await ask(catalog, "backups"), ["latest", "AAA111", "BBB222", "CCC333"]);
    const chosen = `--pbk-store '${typed}' -I 'second\\ one'`;
    assert.deepEqual(await ask(chosen, "backups"), ["latest", "CCC333"]);
    assert.deepEqual(await ask(catalog, "instances"), ["main", "second one"]);
    await ask(catalog, "mounts");
  },
);

for (const [shell, check] of [["zsh", ["-n"]], ["fish", ["--no-execute"]]] as const) {
  Deno.test(`the script for ${shell} knows every command and option [FR-761]`, async () => {
    const script = await scriptFor(shell);
    for (const { name, options } of COMMANDS) {
      assert(script.includes(name), name);
      for (const { long } of options) assert(script.includes(long.slice(2)), long);
    }
  });

  testUnless(
    hasProgram(shell) ? undefined : `there is no ${shell}`,
    `${shell} can read its script [FR-761]`,
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
