/** `cleanup` empties diffs, and nothing else. */

import assert from "node:assert/strict";
import { type Code, CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { crash } from "./support/daemon_process.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { TempDir } from "./support/temp_dir.ts";
import { ordinaryUser } from "./support/users.ts";

const obstacle = mountObstacle();

/** A sample with a diff that was mounted once, and written to. */
async function sceneWithDiff(): Promise<Scene> {
  const scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
  await using mount = await scene.mount("TOTL9E");
  Deno.writeTextFileSync(`${mount.mountDir}/written`, "by the first mount".repeat(10_000));
  await mount.unmount();
  return scene;
}

function names(dirPath: string): string[] {
  return [...Deno.readDirSync(dirPath)].map(({ name }) => name).sort();
}

/** A refused cleanup changes nothing in `dirPath`. */
async function mustRefuse(dirPath: string, code: Code, says: RegExp, args = ["--yes"]) {
  const before = await snapshot(dirPath);
  const outcome = await runCli(["cleanup", "-d", dirPath, ...args]);
  assert.equal(outcome.code, CODES[code].exitCode, outcome.stderr);
  assert.match(outcome.stderr, says);
  assert.deepEqual(await snapshot(dirPath), before);
}

testUnless(
  obstacle,
  "cleanup shows what goes, empties the diff, and it can be used again [FR-730]",
  async () => {
    await using scene = await sceneWithDiff();
    const { code, stdout, stderr } = await runCli(["cleanup", "-d", scene.diffDir, "--yes"]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /changes to backup TOTL9E of main:/);
    assert.match(stderr, /KiB {2}data\n/);
    assert.match(stderr, /MiB {2}in all\n/);
    assert.deepEqual(names(scene.diffDir), []);
    // Of another backup, too.
    await using mount = await scene.mount("TOTL9U");
    assert(!names(mount.mountDir).includes("written"));
  },
);

testUnless(
  obstacle,
  "without a terminal and without --yes nothing is removed [FR-731]",
  async () => {
    await using scene = await sceneWithDiff();
    await mustRefuse(scene.diffDir, "Usage", /--yes/, []);
  },
);

/** What makes a terminal for a command. */
function terminalObstacle(): string | undefined {
  const { success } = new Deno.Command("sh", { args: ["-c", "command -v script"] }).outputSync();
  return success ? undefined : "there is no script(1)";
}

testUnless(
  obstacle ?? terminalObstacle(),
  "on a terminal it asks, and takes only yes for yes [FR-731]",
  async () => {
    await using scene = await sceneWithDiff();
    const cli = `${Deno.execPath()} run -A ${new URL("../cli.ts", import.meta.url).pathname}`;
    const onTerminal = async (answer: string) => {
      const command = `${cli} cleanup -d ${scene.diffDir}`;
      const { success } = await new Deno.Command("sh", {
        args: ["-c", `echo ${answer} | script -qec "${command}" /dev/null`],
        stdout: "piped",
      }).output();
      assert(success);
    };
    const before = names(scene.diffDir);
    await onTerminal("no");
    assert.deepEqual(names(scene.diffDir), before);
    await onTerminal("yes");
    assert.deepEqual(names(scene.diffDir), []);
  },
);

testUnless(
  obstacle,
  "a diff that is mounted is refused, also if its process has died [FR-732]",
  async () => {
    await using scene = await sceneWithDiff();
    await scene.mount("TOTL9E", { restart: false });
    const refuse = async () => {
      const { code, stderr } = await runCli(["cleanup", "-d", scene.diffDir, "--yes"]);
      assert.equal(code, CODES.DiffInUse.exitCode, stderr);
      assert.match(stderr, /is mounted on .*mount"[^]*pbkfs unmount/);
    };
    await refuse();
    await crash(scene.diffDir);
    await refuse();
    assert.equal((await runCli(["unmount", "-d", scene.diffDir])).code, 0);
    const { code, stderr } = await runCli(["cleanup", "-d", scene.diffDir, "--yes"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(names(scene.diffDir), []);
  },
);

Deno.test("a directory that is not a diff is never touched [FR-733]", async () => {
  await using place = TempDir.make();
  const dirPath = `${place.path}/home`;
  Deno.mkdirSync(`${dirPath}/data`, { recursive: true });
  Deno.writeTextFileSync(`${dirPath}/data/letters`, "precious");
  // A name that pbkfs uses, too, makes no diff of it.
  await mustRefuse(dirPath, "DiffForeign", /"data", but neither binding nor lock/);
  // Nor does a diff of which somebody has made something else.
  Deno.writeTextFileSync(`${dirPath}/.pbkfs-lock`, "");
  Deno.writeTextFileSync(`${dirPath}/thesis.tex`, "precious");
  await mustRefuse(dirPath, "DiffForeign", /"thesis\.tex", which is not from pbkfs/);
  await mustRefuse(`${dirPath}/data`, "DiffForeign", /letters/);
  const missing = await runCli(["cleanup", "-d", `${place.path}/nowhere`, "--yes"]);
  assert.equal(missing.code, CODES.DiffMissing.exitCode, missing.stderr);
  const file = await runCli(["cleanup", "-d", `${dirPath}/thesis.tex`, "--yes"]);
  assert.equal(file.code, CODES.DiffMissing.exitCode, file.stderr);
});

Deno.test("links are removed, and what they lead to is left alone [FR-733]", async () => {
  await using place = TempDir.make();
  const [diff, outside] = [`${place.path}/diff`, `${place.path}/outside`];
  for (const path of [diff, outside]) Deno.mkdirSync(path);
  Deno.writeTextFileSync(`${outside}/precious`, "precious");
  Deno.writeTextFileSync(`${diff}/.pbkfs-lock`, "");
  Deno.mkdirSync(`${diff}/wal`);
  Deno.symlinkSync(outside, `${diff}/data`);
  Deno.symlinkSync(outside, `${diff}/wal/link`);
  Deno.symlinkSync(`${outside}/precious`, `${diff}/pbkfs.log`);
  const { code, stderr } = await runCli(["cleanup", "-d", diff, "--yes"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(names(diff), []);
  assert.equal(Deno.readTextFileSync(`${outside}/precious`), "precious");
});

Deno.test("the rest of a diff, and a damaged one, can be cleaned up; an empty directory is fine [FR-734]", async () => {
  await using place = TempDir.make();
  const diff = `${place.path}/diff`;
  Deno.mkdirSync(`${diff}/wal.tmp`, { recursive: true });
  Deno.writeTextFileSync(`${diff}/.pbkfs-lock`, '{"pid": 1, torn');
  Deno.writeTextFileSync(`${diff}/.pbkfs-binding.json.tmp`, "{");
  const half = await runCli(["cleanup", "-d", diff, "--yes"]);
  assert.equal(half.code, 0, half.stderr);
  assert.match(half.stderr, /the rest of a diff/);
  assert.deepEqual(names(diff), []);
  Deno.writeTextFileSync(`${diff}/.pbkfs-binding.json`, "not JSON");
  Deno.writeTextFileSync(`${diff}/metadata.sqlite-wal`, "");
  const damaged = await runCli(["cleanup", "-d", diff, "--yes"]);
  assert.equal(damaged.code, 0, damaged.stderr);
  assert.deepEqual(names(diff), []);
  const empty = await runCli(["cleanup", "-d", diff]);
  assert.equal(empty.code, 0, empty.stderr);
  assert.match(empty.stderr, /empty already/);
});
